#include "base/str.h"
#include "pipeline/gguf_jobs.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <string.h>

static qz_status set(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    return qz_gguf_edit_job(run, r, false, a, d, err);
}
static qz_status unset(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    return qz_gguf_edit_job(run, r, true, a, d, err);
}

static const struct {
    const char *name;
    qz_status (*job)(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err);
} jobs[] = {{"merge", qz_gguf_merge_job}, {"split", qz_gguf_split_job}, {"set", set}, {"unset", unset},
            {"repair", qz_gguf_repair_job}};

qz_status qz_run_gguf_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_gguf_done d = {0};
    qz_str out = {0};
    qz_near near = {.word = r->operands[0], .limit = 3};
    size_t i = 0;
    while (i < sizeof jobs / sizeof *jobs && strcmp(jobs[i].name, r->operands[0]) != 0)
        (void)qz_near_see(&near, jobs[i++].name);
    if (i == sizeof jobs / sizeof *jobs)
        return qz_fail(err, QZ_EUSAGE, "unknown job '%.40s': expected merge, split, set, unset or repair%s%s%s",
                       r->operands[0], near.best ? ", nearest is '" : "", near.best ? near.best : "",
                       near.best ? "'" : "");
    qz_status st = jobs[i].job(run, r, &a, &d, err);
    if (st == QZ_OK && r->json) qz_gguf_done_json(&d, &out);
    else if (st == QZ_OK) qz_gguf_done_text(&d, &out);
    if (st == QZ_OK) st = r->json ? qz_show(&out, err) : qz_show_text(&out, err);
    qz_str_release(&out);
    qz_arena_release(&a);
    return st;
}
