#include "deploy/check_job.h"
#include "deploy/pick.h"
#include "artifacts/artifact.h"
#include "base/size.h"
#include "model/leftovers.h"
#include "plan/machine.h"
#include "plan/operand.h"
#include "report/plan_view.h"
#include "produce/produce.h"
#include "report/raw_print.h"
#include "pipeline/verbs.h"
#include "plan/numbers.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

/* Bytes of the files this program writes. With the source at hand the whole plan of `quantize` is made, so that the
 * figure is the written file's; a source hash of the right length stands in for the real one. */
static qz_status file_bytes(qz_run *run, qz_plan_view *v, qz_plan_row *row, qz_error *err) {
    qz_recipe recipe;
    qz_error ignored = {0};
    const char *name = qz_level_get(row->level)->name;
    if (!v->opened) return qz_level_file(run, v->shape, row->level, v->q.imatrix, v->dir, &row->files, err);
    if (qz_level_get(row->level)->kind == QZ_LEVEL_FLOAT) return QZ_OK;
    qz_arena arena = {0};
    if (qz_recipe_make(NULL, name, &arena, &recipe, &ignored) != QZ_OK) return QZ_OK;
    qz_artifact_plan plan;
    qz_importance imp = {0};
    qz_produce_options o = {.recipe = &recipe, .source_dir = v->operand.source.model->path};
    memset(v->operand.source.sha_hex, '0', 64);
    qz_status st = qz_produce_plan(run, &v->operand.source, &imp, &o, &arena, &plan, err);
    if (st == QZ_OK)
        row->files = (qz_level_files){true, plan.total_bytes, plan.weight_bytes - plan.head_bytes,
                                      v->operand.source.tokenizer != NULL};
    qz_arena_release(&arena);
    return st;
}

/* One row; a format that cannot hold the model becomes a row that says why. */
static qz_status make_row(qz_run *run, qz_plan_view *v, qz_plan_row *row, bool all, qz_error *err) {
    qz_memory_query q = v->q;
    qz_error why = {0};
    qz_status st = QZ_OK;
    q.level = row->level;
    q.weight_bytes = row->files.weight_bytes; /* 0 but for an opened artifact */
    if (q.level != QZ_LEVEL_COUNT && (all || v->opened)) {
        qz_weighed w; /* without its matrix the reference's level cannot be planned as a file */
        st = qz_level_weigh(v->shape, q.level, q.imatrix, NULL, &w, &why);
        if (st == QZ_OK && (!w.imatrix_required || q.imatrix)) st = file_bytes(run, v, row, &why);
        if (row->files.known) q.weight_bytes = row->files.weight_bytes;
    }
    if (st == QZ_OK) st = qz_memory_plan(&q, &row->m, &why);
    if (st == QZ_EUNSUPPORTED && row->level != QZ_LEVEL_COUNT) {
        row->misfit = qz_arena_strdup(&v->arena, why.text);
        return row->misfit ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    if (st != QZ_OK) return qz_fail(err, st, "%s", why.text);
    if (q.capacity == 0) return QZ_OK;
    QZ_TRY(qz_memory_max_users(&q, &row->max_users, err));
    return qz_memory_max_ctx(&q, &row->max_ctx, err);
}

/* Fills rows. */
static qz_status make_rows(qz_run *run, qz_plan_view *v, qz_error *err) {
    v->rows = qz_arena_calloc(&v->arena, v->n_levels + 1, sizeof *v->rows);
    if (v->rows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    /* a KV type that does not fit the heads is the question's fault, not a format's */
    QZ_TRY(qz_memory_plan(&v->q, &v->base, err));
    if (v->opened) {
        qz_plan_row *row = &v->rows[v->n_rows++];
        const qz_model *m = v->operand.source.model;
        row->level = QZ_LEVEL_COUNT;
        row->label = qz_arena_printf(&v->arena, "this: %.20s", m->encoding);
        row->files = (qz_level_files){.known = true, .file_bytes = m->file_bytes, .vocabulary = true};
        for (size_t i = 0; i < m->n_tensors; i++) row->files.weight_bytes += m->tensors[i].bytes;
        if (row->label == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        QZ_TRY(make_row(run, v, row, false, err));
        v->threads = qz_pool_size(run->pool);
        qz_resident_plan(m, v->operand.source.tokenizer ? qz_tokenizer_vocab_size(v->operand.source.tokenizer) : 0,
                         v->q.ctx, v->threads, &v->resident);
    }
    for (size_t i = 0; i < v->n_levels; i++) {
        qz_plan_row *row = &v->rows[v->n_rows++];
        row->level = v->levels[i];
        row->label = qz_level_get(row->level)->name;
        QZ_TRY(make_row(run, v, row, v->o.exact || v->o.json, err));
    }
    return QZ_OK;
}

/* The hardware's row, as pick and check count: what is split over layers runs on llama.cpp. A bare size has no row:
 * 20 %, and for layers the 0.5 GB of buffers of handbooks (checklist C-117). */
static qz_status set_budget(const qz_request *r, qz_plan_view *v, qz_error *err) {
    double bytes;
    qz_runtime engine = v->hw ? qz_pick_usual_engine(v->hw) : QZ_RUNTIME_NONE;
    if (r->engine) QZ_TRY(qz_runtime_find(r->engine, &engine, err));
    if (r->offload) engine = QZ_RUNTIME_LLAMA_CPP;
    v->q.reserve = r->reserve < 0 ? 0.20 : r->reserve / 100;
    v->budget = v->hw && !r->memory && r->reserve < 0 && !r->overhead;
    if (r->offload && !r->overhead) v->q.overhead = 500000000;
    if (!v->budget) return QZ_OK;
    qz_pick_budget(v->hw, engine, -1, &v->q.reserve, &bytes);
    v->q.overhead = (uint64_t)bytes;
    v->engine = qz_runtime_get(engine)->title;
    return QZ_OK;
}

/* Layers are dealt out between a card and the memory beside it; both are judged. */
static qz_status set_offload(const qz_request *r, qz_plan_view *v, qz_error *err) {
    if (!r->offload && r->ram)
        return qz_fail(err, QZ_EUSAGE, "--ram %s: the memory beside a card counts with --offload only; give it too, or "
                       "leave --ram out", r->ram);
    if (!r->offload) return QZ_OK;
    if (v->hw && strcmp(v->hw->kind, "gpu") != 0)
        return qz_fail(err, QZ_EUSAGE,
                       "--offload deals layers out between a card and system memory: '%s' has no memory of a card; "
                       "leave --offload out, or give --hardware with a card",
                       v->hw->name);
    if (r->ram) QZ_TRY(qz_bytes_parse(r->ram, "ram", &v->system_bytes, err));
    v->system_usable = qz_pick_system_usable(v->system_bytes);
    return QZ_OK;
}

/* Each is a view of its own. */
static qz_status one_view(const qz_request *r, qz_error *err) {
    const struct { bool given; const char *name; } views[] = {{r->job, "job"}, {r->offload, "offload"},
                                                              {r->speed, "speed"}};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        if (!views[i].given) continue;
        if (first)
            return qz_fail(err, QZ_EUSAGE, "--%s and --%s are two views: expected one of --job, --offload and --speed",
                           first, views[i].name);
        first = views[i].name;
    }
    return QZ_OK;
}

static qz_status read_query(qz_run *run, const qz_request *r, qz_plan_view *v, qz_error *err) {
    QZ_TRY(one_view(r, err));
    QZ_TRY(qz_hardware_open(&v->set, r->hardware_file, err));
    if (r->hardware && strcmp(r->hardware, "list") != 0)
        QZ_TRY(qz_hardware_choose(run, &v->set, r->hardware, &v->hw, err));
    QZ_TRY(qz_plan_numbers(r->contexts ? r->contexts : "4096", "ctx", 1u << 30, &v->arena, &v->contexts,
                           &v->n_contexts, err));
    QZ_TRY(qz_plan_numbers(r->users, "users", 1u << 24, &v->arena, &v->users, &v->n_users, err));
    QZ_TRY(qz_plan_levels(r->levels ? "gguf" : r->formats, &v->arena, &v->levels, &v->n_levels, err));
    v->q = (qz_memory_query){.users = v->users[0], .ctx = v->contexts[0], .devices = r->tp,
                             .imatrix = r->imatrix != NULL};
    QZ_TRY(qz_kv_types_parse(r->kv ? r->kv : "f16", &v->q.kv, err));
    if (v->hw) v->q.capacity = qz_hardware_bytes(v->hw);
    if (r->memory) QZ_TRY(qz_bytes_parse(r->memory, "memory", &v->q.capacity, err));
    if (r->memory && v->q.capacity == 0)
        return qz_fail(err, QZ_EUSAGE, "--memory is zero: expected for example 24GB or 24GiB");
    if (r->overhead) QZ_TRY(qz_bytes_parse(r->overhead, "overhead", &v->q.overhead, err));
    QZ_TRY(qz_machine_shares(v->hw, r->tp, err));
    QZ_TRY(set_budget(r, v, err));
    QZ_TRY(set_offload(r, v, err));
    v->o.reserve = 100 * v->q.reserve;
    if ((r->offload || r->speed) && !v->q.capacity && !v->hw)
        return qz_fail(err, QZ_EUSAGE, "--%s needs a device: give --hardware NAME%s", r->offload ? "offload" : "speed",
                       r->offload ? " or --memory SIZE" : "");
    if (r->speed && !v->hw) return qz_fail(err, QZ_EUSAGE, "--speed needs a bandwidth: give --hardware NAME");
    return QZ_OK;
}

/* Servers run the cache that the folder's scales are for. */
static qz_status own_cache(qz_plan_view *v, const char *path, qz_error *err) {
    json_t *root = NULL;
    qz_deploy_spec spec;
    const char *dtype;
    if (v->operand.kind != QZ_OPERAND_FOLDER && v->operand.kind != QZ_OPERAND_CONFIG) return QZ_OK;
    qz_status st = qz_check_config(path, &v->arena, &root, &spec, &dtype, err);
    const char *kv = st == QZ_OK ? qz_deploy_cache(&spec) : NULL;
    if (kv) st = qz_kv_types_parse(kv, &v->q.kv, err);
    json_decref(root);
    return st;
}

static qz_status print(qz_run *run, const qz_request *r, qz_plan_view *v, qz_str *out, qz_error *err) {
    if (r->job) return qz_plan_print_job(run, v, out, err);
    if (r->offload) return qz_plan_print_offload(v, out, err);
    if (r->speed) return qz_plan_print_speed(v, out, err);
    if (v->n_contexts > 1 || v->n_users > 1) return qz_plan_print_grid(v, out, err);
    QZ_TRY(make_rows(run, v, err));
    return r->json ? qz_plan_print_json(v, out, err) : qz_plan_print_main(v, out, err);
}

qz_status qz_run_plan_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_plan_view v = {.o = {.json = r->json,
                            .exact = r->exact,
                            .matrix = r->matrix,
                            .disk = r->disk,
                            .output = r->output,
                            .overhead = r->overhead != NULL,
                            .overhead_ms = r->overhead_ms,
                            .samples = r->samples,
                            .seq_len = r->seq_len}};
    qz_str out = {0};
    run->accept = QZ_CODE_UNUSED "," QZ_CODE_KEYS "," QZ_CODE_FLOAT; /* figures of a model are no use of it */
    qz_status st = read_query(run, r, &v, err);
    if (st != QZ_OK) goto out;
    if (r->hardware && strcmp(r->hardware, "list") == 0) st = qz_plan_print_hardware(&v.set, r->json, &out, err);
    else if (r->shapes) st = qz_plan_print_shapes(r->json, &out, err);
    else if (r->matrix) st = qz_plan_print_matrix(&v, &out, err);
    else if (r->n_operands == 0)
        st = qz_fail(err, QZ_EUSAGE,
                     "no model: give a config.json, a folder, a GGUF file or a built-in shape, for example 'quantz "
                     "plan llama-3-8b'; --shapes lists them");
    else {
        qz_error why = {0};
        st = qz_operand_open(run, r->operands[0], QZ_OPEN_WEIGHTS, &v.operand, &why);
        v.q.shape = v.shape = v.operand.shape;
        if (st == QZ_OK && !r->contexts && v.shape) v.contexts[0] = v.q.ctx = qz_shape_default_ctx(v.shape);
        if (st == QZ_OK && r->kv == NULL) st = own_cache(&v, r->operands[0], err);
        v.opened = v.operand.source.model != NULL;
        v.dir = v.operand.kind == QZ_OPERAND_FOLDER ? r->operands[0] : NULL;
        if (st == QZ_OK) st = print(run, r, &v, &out, err);
        /* sizes are all that can be planned of it */
        else st = qz_raw_instead(r->operands[0], (qz_raw_view){r->tensors, r->json}, &why, st, &out, err);
    }
    if (st == QZ_OK) st = qz_show(&out, err);
out:
    qz_str_release(&out);
    qz_operand_release(&v.operand);
    qz_hardware_release(&v.set);
    qz_arena_release(&v.arena);
    return st;
}
