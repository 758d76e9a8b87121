#include "artifacts/raw.h"
#include "base/io.h"
#include "produce/catalog.h"
#include "pipeline/records.h"
#include "pipeline/verbs.h"
#include "report/inspect_print.h"
#include "report/raw_print.h"
#include "report/table_print.h"

qz_status qz_run_inspect_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_source s = {0};
    qz_arena a = {0};
    qz_table t;
    qz_str out = {0};
    run->accept = "*"; /* shows what nothing uses */
    qz_error why = {0};
    const qz_record kind = qz_record_of(r->operands[0]);
    if (kind) {
        qz_status shown = qz_record_table(r->operands[0], kind, false, &a, &t, err);
        if (shown == QZ_OK) shown = qz_table_show(&t, r->json, err);
        qz_arena_release(&a);
        return shown;
    }
    qz_status st = qz_source_open(run, r->operands[0], &s, &why);
    if (st != QZ_OK && r->deploy) return qz_fail(err, st, "%s", why.text);
    if (st != QZ_OK) { /* well-formed, and none of our models */
        st = qz_raw_instead(r->operands[0], (qz_raw_view){r->tensors, r->json}, &why, st, &out, err);
        if (st == QZ_OK) st = r->json ? qz_show(&out, err) : qz_show_text(&out, err);
        qz_str_release(&out);
        return st;
    }
    if (r->deploy)
        qz_str_printf(&out, "%s %s, 0 GPU layers (CPU), quantz %s; %s\n", s.model->container, s.model->encoding,
                      qz_catalog_version(), s.model->contract);
    else if (r->tensors) {
        st = qz_inspect_tensors(s.model, &a, &t, err);
        if (st == QZ_OK && r->json) qz_table_answer(&t, &out);
        else if (st == QZ_OK) qz_table_text(&t, &out);
    } else if (r->json) qz_inspect_json(&s, &out);
    else qz_inspect_text(&s, r->operands[0], &out);
    if (st == QZ_OK) st = r->json ? qz_show(&out, err) : qz_show_text(&out, err);
    qz_str_release(&out);
    qz_arena_release(&a);
    qz_source_release(&s);
    return st;
}
