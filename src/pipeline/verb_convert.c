#include "artifacts/module_rules.h"
#include "artifacts/artifact.h"
#include "model/leftovers.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "produce/convert.h"
#include "produce/proof.h"
#include "produce/naming.h"
#include "produce/outputs.h"
#include "deploy/preflight_scheme.h"
#include "pipeline/convert_adapter.h"
#include "pipeline/convert_repair.h"
#include "pipeline/verbs.h"
#include "base/json_write.h"
#include "report/table_print.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const edge_names[QZ_EDGES] = {"exact", "bounded", "lossy"};

/* Largest deviation of an edge in words. */
static void deviation(const qz_edge *e, char out[64]) {
    if (e->kind == QZ_EDGE_EXACT) (void)snprintf(out, 64, "0");
    else if (e->kind == QZ_EDGE_LOSSY)
        (void)snprintf(out, 64, "%.4f %% rms", e->power > 0 ? 100 * sqrt(e->error / e->power) : 0);
    else if (e->relative) (void)snprintf(out, 64, "%.2g of a value", e->worst);
    else (void)snprintf(out, 64, "%.2g of a step", fmax(e->worst, e->bound));
}

/* Edges of one kind whose reasons are the same up to the place. */
static bool alike(const qz_edge *a, const qz_edge *b) {
    size_t n = strcspn(a->why, ":");
    return a->kind == b->kind && n == strcspn(b->why, ":") && memcmp(a->why, b->why, n) == 0;
}

/* One row a kind of edge and reason. */
static qz_status edge_table(const qz_conversion *c, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Edge", 'l'}, {"Tensors", 'r'}, {"Largest deviation", 'l'}, {"Why", 'l'}};
    static const char same[] = "the same numbers";
    QZ_TRY(qz_table_init(t, a, NULL, cols, 4, err));
    for (int kind = 0; kind < QZ_EDGES; kind++)
        for (size_t i = 0; i < c->plan.n_items; i++) {
            const qz_edge *e = &c->edges[i];
            qz_edge sum = *e;
            size_t n = 0;
            bool first = (int)e->kind == kind;
            for (size_t k = 0; first && k < i; k++) first = !alike(&c->edges[k], e);
            if (!first) continue;
            for (size_t k = i; k < c->plan.n_items; k++) {
                const qz_edge *o = &c->edges[k];
                if (!alike(o, e)) continue;
                n++;
                if (k > i) sum.error += o->error, sum.power += o->power;
                sum.worst = fmax(sum.worst, o->worst);
                sum.bound = fmax(sum.bound, o->bound);
            }
            char text[64];
            deviation(&sum, text);
            QZ_TRY(qz_table_row(t, err));
            QZ_TRY(qz_table_set(t, 0, err, "%s", edge_names[kind]));
            QZ_TRY(qz_table_set(t, 1, err, "%zu", n));
            QZ_TRY(qz_table_set(t, 2, err, "%s", text));
            QZ_TRY(qz_table_set(t, 3, err, "%.*s", (int)strcspn(*e->why ? e->why : same, ":"),
                                *e->why ? e->why : same));
        }
    return QZ_OK;
}

static qz_status print_json(const qz_source *src, const qz_conversion *c, const qz_produced *p, const qz_table *t,
                            qz_error *err) {
    qz_str s = {0};
    qz_json_writer w;
    qz_jw_begin(&w, &s);
    qz_jw_text(&w, "artifact", p->path ? p->path : "");
    qz_jw_text(&w, "scheme", c->plan.spec.name);
    qz_jw_text(&w, "from", src->model->container);
    qz_jw_text(&w, "from_encoding", src->model->encoding);
    qz_jw_count(&w, "bytes", p->bytes);
    qz_jw_real(&w, "bits_per_weight", p->bits_per_weight);
    qz_jw_real(&w, "seconds", p->seconds);
    if (p->self_kl >= 0) {
        qz_jw_real(&w, "proof_kl", p->self_kl);
        qz_jw_count(&w, "proof_tokens", p->self_tokens);
        qz_jw_text(&w, "proof_text", p->proof_text);
        qz_jw_text(&w, "proof_note", qz_proof_note);
        qz_jw_text(&w, "proof_greedy", p->greedy);
    }
    qz_jw_raw(&w, "kept", p->summary_json);
    if (p->flushed) qz_jw_count(&w, "flushed_to_zero", p->flushed);
    qz_unread_json(&src->model->config.keys, "", &w);
    qz_jw_key(&w, "edges");
    qz_table_json(t, &s);
    while (s.len && s.ptr[s.len - 1] == '\n') s.len--;
    if (p->finished) qz_jw_bool(&w, "already_finished", true);
    qz_jw_end(&w);
    qz_status st = qz_show(&s, err);
    qz_str_release(&s);
    return st;
}

static qz_status print_result(const qz_source *src, const qz_conversion *c, const qz_produced *p, const qz_request *r,
                              qz_arena *a, qz_error *err) {
    qz_table t;
    qz_str s = {0};
    char size[48];
    QZ_TRY(edge_table(c, a, &t, err));
    if (r->json) return print_json(src, c, p, &t, err);
    if (p->finished) qz_produced_finished_line(p, c->plan.spec.name, &s);
    else
        qz_str_printf(&s, "%s\n  %s %s -> %s, %s, %.3f bits/weight\n", p->path ? p->path : "(dry run)",
                      src->model->container, src->model->encoding, c->plan.spec.name,
                      qz_size_text(size, c->plan.total_bytes), c->plan.bits_per_weight);
    if (!p->finished) qz_str_printf(&s, "  weights: %s\n", p->summary);
    qz_proof_line(p, &s);
    if (!p->finished) qz_table_text(&t, &s);
    qz_status st = qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

static bool is_float_item(const qz_artifact_item *it) {
    return it->type < QZ_TYPE_COUNT && qz_type_get(it->type)->kind == QZ_KIND_FLOAT;
}

qz_status qz_run_convert_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (r->repair) return qz_run_repair(run, r, err);
    if (qz_is_adapter(r->operands[0])) return qz_run_adapter(run, r, err);
    if (r->data)
        return qz_fail(err, QZ_EUSAGE, "--calib is for --repair: a conversion takes no data; 'quantz quantize' does");
    qz_source s = {0};
    qz_arena arena = {0};
    qz_conversion c;
    qz_produced p = {.self_kl = -1};
    qz_recipe recipe = {.codes.search = QZ_SEARCH_BEST, .name = r->name, .pre = r->pre, .accept = r->accept,
                        .convert = true, .lossy = r->lossy};
    const qz_scheme_spec *spec = &recipe.spec;
    qz_produce_options o = {.recipe = &recipe, .force = r->force, .resume = r->resume};
    qz_outputs outs = {.run = run};
    char *out = NULL;
    qz_status st =
        r->to ? QZ_OK
              : qz_fail(err, QZ_EUSAGE,
                        "no format: give --to, for example --to gptq or --to gguf:Q4_0; see 'quantz convert --help'");
    if (st == QZ_OK && r->output && !qz_output_is_place(r->output))
        st = qz_outputs_claim(&outs, r, r->output, QZ_OUTPUT_ARTIFACT, err);
    if (st == QZ_OK) st = qz_source_open(run, r->operands[0], &s, err);
    if (st == QZ_OK) st = qz_convert_spec(s.model, r->to, &recipe.spec, err);
    if (st == QZ_OK && r->modules.n)
        st = qz_module_rules_parse(&recipe.spec, r->modules.at, r->modules.n, &arena, err);
    if (st != QZ_OK) goto out;
    o.source_dir = r->config_dir ? r->config_dir : qz_path_is_dir(r->operands[0]) ? r->operands[0] : NULL;
    QZ_GOTO(qz_output_name(&s, spec, r->output, r->name, &out, err));
    QZ_GOTO(qz_outputs_claim(&outs, r, out, QZ_OUTPUT_ARTIFACT, err));
    if (!r->dry_run) QZ_GOTO(qz_source_hash(run, &s, err));
    QZ_GOTO(qz_convert_plan(run, &s, &o, &arena, &c, err));
    bool lossy = false;
    for (size_t i = 0; i < c.plan.n_items; i++)
        lossy = lossy || (c.edges[i].kind == QZ_EDGE_LOSSY && !is_float_item(&c.plan.items[i]));
    if (lossy) qz_preflight_requant(run, s.model, spec);
    for (size_t i = 0; i < c.plan.n_notes; i++) qz_warn(run, "%s: %s", c.plan.spec.name, c.plan.notes[i]);
    if (r->dry_run)
        p.bytes = c.plan.total_bytes, p.bits_per_weight = c.plan.bits_per_weight,
        st = qz_produced_summarize(&c.plan, &p, err);
    else QZ_GOTO(qz_convert_write(run, &c, &o, out, &p, err));
    if (st == QZ_OK) st = print_result(&s, &c, &p, r, &arena, err);
out:
    qz_outputs_end(&outs, st);
    qz_produced_release(&p);
    qz_source_release(&s);
    qz_arena_release(&arena);
    qz_free(out);
    return st;
}
