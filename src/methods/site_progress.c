#include "methods/site_progress.h"
#include <stdio.h>

void qz_site_progress(qz_run *run, const qz_site_at *at, const qz_awq_block *b, size_t input) {
    char stage[128];
    uint64_t done = 0, total = 0;
    for (size_t i = 0; i < QZ_STAGES; i++)
        for (size_t l = b->input[i].first; l < b->input[i].first + b->input[i].n; l++) {
            total += b->linear[l].rows;
            done += i < input ? b->linear[l].rows : 0;
        }
    (void)snprintf(stage, sizeof stage, "%.60s %.60s", at->scheme, b->linear[b->input[input].first].name);
    qz_progress_at(run, &(qz_progress){.stage = stage, .unit = "rows", .done = done, .total = total,
                                       .layer = at->layer + 1, .layers = at->layers});
}
