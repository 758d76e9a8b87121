#include "methods/site_progress.h"
#include <stdio.h>

static uint64_t rows_of(const qz_awq_block *b, size_t input) {
    uint64_t rows = 0;
    const qz_awq_input *in = &b->input[input];
    for (size_t l = in->first; l < in->first + in->n; l++) rows += b->linear[l].rows;
    return rows;
}

static void say(qz_run *run, const qz_site_at *at, const char *what, uint64_t done) {
    char stage[200], which[64] = "";
    uint64_t total = 0;
    for (size_t i = 0; i < QZ_STAGES; i++)
        total += rows_of(at->self, i) + (at->experts ? at->experts * rows_of(at->expert, i) : 0);
    if (at->at >= 0) (void)snprintf(which, sizeof which, ", expert %ld of %zu", at->at + 1, at->experts);
    (void)snprintf(stage, sizeof stage, "%.60s %.60s%s", at->scheme, what, which);
    qz_progress_at(run, &(qz_progress){.stage = stage, .unit = "rows", .done = done, .total = total,
                                       .layer = at->layer + 1, .layers = at->layers});
}

void qz_site_progress(qz_run *run, const qz_site_at *at, size_t input) {
    const qz_awq_block *b = at->at < 0 ? at->self : at->expert;
    uint64_t done = at->at < 0 ? 0 : (uint64_t)at->at * rows_of(at->expert, input);
    for (size_t i = 0; i < input; i++)
        done += rows_of(at->self, i) + (at->experts ? at->experts * rows_of(at->expert, i) : 0);
    say(run, at, b->linear[b->input[input].first].name, done);
}

void qz_site_progress_scales(qz_run *run, const qz_site_at *at) { say(run, at, "scales", 0); }
