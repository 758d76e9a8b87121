#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "pipeline/claims.h"
#include "pipeline/release.h"
#include "pipeline/verbs.h"
#include "produce/outputs.h"
#include "report/table_print.h"

static const char *const verdicts[] = {[QZ_CLAIM_HOLDS] = "holds", [QZ_CLAIM_FAILS] = "fails",
                                       [QZ_CLAIM_UNDECIDED] = "undecided",
                                       [QZ_CLAIM_NOT_MEASURED] = "not measured"};

static qz_status table_of(const qz_claims *c, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Id", 'l'},          {"Claim", 'l'},   {"Source", 'l'}, {"Told", 'l'},
                                     {"Ours [95 %]", 'l'}, {"Verdict", 'l'}, {"Why", 'l'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof *cols, err));
    for (size_t i = 0; i < c->n; i++) {
        const qz_claim_row *x = &c->row[i];
        const char *const cells[] = {x->id, x->claim, x->source, x->told, x->ours, verdicts[x->verdict], x->why};
        QZ_TRY(qz_table_row(t, err));
        for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) QZ_TRY(qz_table_set(t, k, err, "%s", cells[k]));
    }
    return QZ_OK;
}

static void json_of(const qz_claims *c, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "model", c->model);
    qz_jw_text(&w, "protocol", c->set);
    qz_jw_text(&w, "token_hash", c->token_hash);
    qz_jw_open(&w, "claims", '[');
    for (size_t i = 0; i < c->n; i++) {
        const qz_claim_row *x = &c->row[i];
        qz_jw_row(&w);
        qz_jw_text(&w, "id", x->id);
        qz_jw_text(&w, "claim", x->claim);
        qz_jw_text(&w, "source", x->source);
        qz_jw_text(&w, "told", x->told);
        qz_jw_text(&w, "ours", x->ours);
        qz_jw_text(&w, "verdict", verdicts[x->verdict]);
        qz_jw_text(&w, "why", x->why);
        qz_jw_open(&w, "figures", '{');
        for (size_t k = 0; k < x->n; k++) {
            const qz_figure *f = &x->figure[k].f;
            qz_jw_open(&w, x->figure[k].name, '{');
            qz_jw_real(&w, "value", f->value);
            if (f->low < f->high) qz_jw_real(&w, "low", f->low), qz_jw_real(&w, "high", f->high);
            qz_jw_close(&w, '}');
        }
        qz_jw_close(&w, '}');
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
}

static qz_status files(const qz_claims *c, const qz_table *t, const qz_str *json, qz_error *err) {
    qz_release_file f[2] = {{.name = "claims.md"}, {.name = "claims.json"}};
    qz_str_printf(&f[0].text, "# Claims on %s\n\n", c->model);
    qz_table_markdown(t, &f[0].text);
    qz_str_printf(&f[0].text, "\n%s; token hash %.12s.\n", c->set, c->token_hash);
    qz_str_puts(&f[1].text, json->ptr);
    const qz_status st = qz_release_files_write(c->r->output, f, 2, err);
    for (size_t i = 0; i < 2; i++) qz_str_release(&f[i].text);
    return st;
}

static qz_status show(const qz_claims *c, qz_error *err) {
    qz_arena a = {0};
    qz_table t = {0};
    qz_str json = {0}, s = {0};
    size_t count[4] = {0};
    qz_status st = table_of(c, &a, &t, err);
    json_of(c, &json);
    for (size_t i = 0; i < c->n; i++) count[c->row[i].verdict]++;
    if (st == QZ_OK && c->r->output) st = files(c, &t, &json, err);
    if (st == QZ_OK && !c->r->json) st = qz_table_show(&t, false, err);
    qz_str_printf(&s, "%s: %zu hold, %zu fail, %zu undecided, %zu not measured here%s%s\n", c->model,
                  count[QZ_CLAIM_HOLDS], count[QZ_CLAIM_FAILS], count[QZ_CLAIM_UNDECIDED],
                  count[QZ_CLAIM_NOT_MEASURED], *c->set ? "; " : "", c->set);
    if (st == QZ_OK) st = c->r->json ? qz_show(&json, err) : qz_show_text(&s, err);
    qz_str_release(&json);
    qz_str_release(&s);
    qz_arena_release(&a);
    return st;
}

qz_status qz_run_claims_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_claims c = {0};
    qz_outputs outs = {.run = run};
    qz_status st = r->output ? qz_outputs_claim(&outs, r, r->output, QZ_OUTPUT_FOLDER, err) : QZ_OK;
    static const char *const names[] = {"claims.md", "claims.json"};
    for (size_t i = 0; st == QZ_OK && r->output && i < 2; i++) {
        char *path = qz_path_join(r->output, names[i]);
        st = path ? qz_outputs_claim(&outs, r, path, QZ_OUTPUT_FILE, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_free(path);
    }
    if (st == QZ_OK) st = qz_claims_run(run, r, &c, err);
    if (st == QZ_OK) st = show(&c, err);
    qz_outputs_end(&outs, st);
    qz_claims_release(&c);
    return st;
}
