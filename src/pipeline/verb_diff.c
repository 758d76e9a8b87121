#include "base/size.h"
#include "pipeline/verbs.h"
#include "report/diff_print.h"
#include "report/table_print.h"

qz_status qz_run_diff_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_source a = {0}, b = {0};
    qz_arena arena = {0};
    qz_diff d;
    qz_str out = {0};
    const char *paths[2] = {r->operands[0], r->operands[1]};
    const qz_source *const side[2] = {&a, &b};
    qz_status st = qz_source_open(run, paths[0], &a, err);
    if (st == QZ_OK) st = qz_source_open(run, paths[1], &b, err);
    if (st == QZ_OK) st = qz_diff_run(run, &a, &b, paths, &arena, &d, err);
    if (st == QZ_OK) st = qz_diff_print(&d, side, paths, (qz_diff_view){r->tensors, r->json}, &arena, &out, err);
    if (st == QZ_OK) st = r->json ? qz_show(&out, err) : qz_show_text(&out, err);
    if (st == QZ_OK && r->strict && (d.unequal || d.missing || d.facts))
        st = qz_fail(err, QZ_ECHECK, "'%s' and '%s' differ: %zu tensor%s, %zu missing, %zu fact%s", paths[0], paths[1],
                     d.unequal, qz_plural(d.unequal), d.missing, d.facts, qz_plural(d.facts));
    qz_str_release(&out);
    qz_source_release(&a);
    qz_source_release(&b);
    qz_arena_release(&arena);
    return st;
}
