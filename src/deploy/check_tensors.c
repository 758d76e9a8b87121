#include "artifacts/open.h"
#include "base/half.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/leftovers.h"
#include "deploy/check_job.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is read without --deep: files up to OPEN_LIMIT are opened whole (GGUF always: it is mapped), and of their values
 * and block scales about so many, spread evenly. */
#define OPEN_LIMIT ((uint64_t)2 << 30)
enum { VALUES = QZ_CHECK_VALUES, SCALES = 2 << 20 };
static const double FP16_MAX = 65504;

typedef struct { const char *type; size_t offset; bool may_be_negative; } block_scale;
/* Where a block's float16 scales lie, and the sign that they can have: encoders that search put the sign of the largest
 * value into the scale of symmetric types; K types with unsigned sub-scales have none to give
 * (formats/ggml-quants.md). */
static const block_scale block_scales[] = {
    {"q8_0", 0, true}, {"q4_0", 0, true}, {"q5_0", 0, true}, {"q4_1", 0, true}, {"q5_1", 0, true}, {"q4_k", 0, false},
    {"q4_k", 2, false}, {"q5_k", 0, false}, {"q5_k", 2, false}, {"q2_k", 80, false}, {"q2_k", 82, false},
    {"q3_k", 108, true}, {"q6_k", 208, true},
};

bool qz_check_bad_scale(qz_check_job *j, const qz_tensor_view *t) {
    if (t->type >= QZ_TYPE_COUNT || t->data == NULL) return false;
    const qz_type_info *info = qz_type_get(t->type);
    const size_t blocks = t->bytes / info->bytes,
                 step = j->o.deep || j->weight_files / 18 < SCALES ? 1 : (size_t)(j->weight_files / 18 / SCALES);
    for (size_t k = 0; k < sizeof block_scales / sizeof block_scales[0]; k++) {
        if (strcmp(block_scales[k].type, info->name) != 0) continue;
        for (size_t b = 0; b < blocks; b += step) {
            uint16_t h;
            memcpy(&h, (const uint8_t *)t->data + b * info->bytes + block_scales[k].offset, 2);
            float s = qz_f16_to_f32(h);
            if (isfinite(s) && (s >= 0 || block_scales[k].may_be_negative)) continue;
            qz_check_add(&j->f, "CHK-SCALE", t->name, "block %zu (row %zu) of %s: scale %g", b,
                         b / (t->cols / info->elems), info->name, (double)s);
            return true;
        }
    }
    return false;
}

static double row_largest(const qz_tensor_view *t, size_t row) {
    float *x = qz_alloc_array(t->cols, sizeof *x);
    double most = NAN;
    if (x) qz_tensor_decode(t, row, 1, x), most = 0;
    for (size_t i = 0; x && i < t->cols; i++) most = fmax(most, fabs((double)x[i]));
    qz_free(x);
    return most;
}

static bool bad_code_scale(const qz_tensor_view *t, qz_findings *f) {
    size_t row, group;
    float s;
    if (!t->coded->ops->bad_scale || !t->coded->ops->bad_scale(t->coded, &row, &group, &s)) return false;
    const double largest = row_largest(t, row);
    if (s != 0 && isfinite(largest) && (largest > FP16_MAX || largest < 1e-17))
        return qz_check_add(f, "CHK-SCALE", t->name, "row %zu, group %zu: scale %g gives weights up to %g", row, group,
                            (double)s, largest), true;
    qz_check_add(f, "CHK-SCALE", t->name, "row %zu, group %zu: scale %g%s", row, group, (double)s,
                 s == 0                ? " in a group whose codes differ from its zero point"
                 : s > 0 && isfinite(s) ? ", over a thousand times what the tensor has"
                                        : "");
    return true;
}

static bool is_norm(const qz_tensor_view *t) { return strstr(t->name, "norm") != NULL; }
static bool is_float(const qz_tensor_view *t) {
    return t->type == QZ_TYPE_F32 || t->type == QZ_TYPE_F16 || t->type == QZ_TYPE_BF16;
}

/* Values of a sample of rows: finite? largest magnitude of float tensors. */
static void scan_values(qz_check_job *j, const qz_tensor_view *t, size_t budget, float *x, double *largest,
                        const char **where) {
    size_t rows = qz_max_size(1, budget / qz_max_size(1, t->cols)),
           step = j->o.deep || rows >= t->rows ? 1 : t->rows / rows;
    for (size_t r = 0; r < t->rows; r += step) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t c = 0; c < t->cols; c++) {
            double v = fabs((double)x[c]);
            if (!isfinite(v)) {
                if (!j->o.deep)
                    qz_check_add(&j->f, "CHK-NONFINITE", t->name, "row %zu, column %zu: %g", r, c, (double)x[c]);
                return; /* deep: qz_artifact_verify has said it */
            }
            if (v > *largest && is_float(t)) *largest = v, *where = t->name;
        }
    }
}

static void check_precision(qz_check_job *j) {
    const qz_model *m = j->model;
    bool quantized = j->spec.kind != QZ_DEPLOY_FLOAT;
    for (size_t i = 0; i < m->n_tensors && quantized; i++) {
        if (!is_norm(&m->tensors[i]) || is_float(&m->tensors[i])) continue;
        qz_check_add(&j->f, "CHK-KEEP", m->tensors[i].name, "a norm is stored as %s",
                     m->tensors[i].type < QZ_TYPE_COUNT ? qz_type_get(m->tensors[i].type)->name : "integer groups");
        break;
    }
    if (!quantized || m->embed == NULL || is_float(m->embed)) return;
    const qz_type linears = qz_model_linear(m)->type;
    double bits = m->embed->type < QZ_TYPE_COUNT ? qz_type_bpw(m->embed->type) : 4;
    if (!j->gguf)
        qz_check_add(&j->f, "CHK-KEEP", m->embed->name, "the embedding is quantized in a %s folder",
                     qz_deploy_get(j->spec.kind)->name);
    else if (m->head == m->embed && bits < 6 && linears < QZ_TYPE_COUNT && qz_type_bpw(linears) >= bits)
        qz_check_add(&j->f, "CHK-KEEP", m->embed->name, "embedding and output head in one, at %.4g bits", bits);
}

static qz_status cache_scales(qz_check_job *j, qz_error *err) {
    qz_cache_fault fault;
    QZ_TRY(qz_artifact_cache_scales(j->path, j->model, &fault, err));
    if (fault.name) qz_check_add(&j->f, "CHK-SCALE", fault.name, "%s", fault.problem);
    return QZ_OK;
}

/* What nothing uses, and flags against data. */
static void check_leftovers(qz_check_job *j) {
    const qz_model *m = j->model;
    const qz_config_keys *k = &m->config.keys;
    const char *config = j->gguf ? "metadata" : "config.json";
    const size_t parts = qz_leftovers_count(m, QZ_LEFT_PART);
    qz_str names = {0}, keys = {0};
    char buf[64];
    qz_leftovers_names(m, QZ_LEFT_PART, &names);
    qz_leftovers_keys(m, &keys);
    if (parts)
        qz_check_add(&j->f, QZ_CODE_UNUSED, config, "nothing uses %zu stored tensor%s: %s%s%s", parts, qz_plural(parts),
                     names.ptr ? names.ptr : "", keys.len ? "; they are used with " : "", keys.len ? keys.ptr : "");
    if (m->n_left > parts + qz_leftovers_count(m, QZ_LEFT_CACHE)) /* servers read those of a cache: CHK-CACHE */
        qz_check_add(&j->f, "MOD-DROPPED", "", "buffers %zu, copies of the tied embedding %zu, biases of zeros %zu%s",
                     qz_leftovers_count(m, QZ_LEFT_BUFFER), qz_leftovers_count(m, QZ_LEFT_TWIN),
                     qz_leftovers_count(m, QZ_LEFT_ZEROS), qz_leftovers_mtp(m, buf));
    if (m->head_untied)
        qz_check_add(&j->f, "MOD-HEAD", "lm_head.weight",
                     "the configuration ties the output matrix, and another one is stored");
    if (k->n_refused)
        qz_check_add(&j->f, QZ_CODE_KEYS, config, "%u key%s not read and would change the model: %s", k->n_refused,
                     k->n_refused == 1 ? " is" : "s are", k->refused);
    if (k->n_noted)
        qz_check_add(&j->f, "MOD-IGNORED", config, "%u key%s not read: %s", k->n_noted,
                     k->n_noted == 1 ? " is" : "s are", k->noted);
    if (k->n_absent)
        qz_check_add(&j->f, "MOD-ABSENT", config, "%u key%s absent, defaults of the family used: %s", k->n_absent,
                     k->n_absent == 1 ? "" : "s", k->absent);
    if (m->n_no_module)
        qz_check_add(&j->f, "MOD-IGNORED", config, "%zu entr%s no module of the files, first %s", m->n_no_module,
                     m->n_no_module == 1 ? "y names" : "ies name", m->no_module);
    for (size_t i = 0; i < m->n_doubts; i++) qz_check_add(&j->f, "CHK-FLAGS", config, "%s", m->doubts[i]);
    qz_str_release(&names);
    qz_str_release(&keys);
}

qz_status qz_check_scan(qz_check_job *j, const qz_model *m, qz_error *err) {
    size_t cols = 1, weights = 1, scales = 0;
    double largest = 0;
    const char *where = NULL;
    for (size_t i = 0; i < m->n_tensors; i++)
        cols = qz_max_size(cols, m->tensors[i].cols), weights += m->tensors[i].rows * m->tensors[i].cols;
    float *x = qz_alloc_array(cols, sizeof *x);
    if (x) {
        qz_progress_begin(j->run);
        for (size_t i = 0; i < m->n_tensors; i++) {
            const qz_tensor_view *t = &m->tensors[i];
            /* the first is enough */
            if (scales == 0) scales += t->coded ? bad_code_scale(t, &j->f) : qz_check_bad_scale(j, t);
            double share = (double)t->rows * (double)t->cols / (double)weights;
            scan_values(j, t, (size_t)(share * VALUES), x, &largest, &where);
            if (j->o.deep && t->data) qz_map_forget(t->data, t->bytes);
            qz_progress_step(j->run, "scanning", i + 1, m->n_tensors, "tensors");
        }
        qz_progress_end(j->run);
    }
    bool ok = x != NULL;
    qz_free(x);
    if (!ok) return qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", j->path);
    if (largest > FP16_MAX / 8 && !j->gguf)
        qz_check_add(&j->f, "CHK-FP16", where, "|value| up to %.6g, %s float16's 65504", largest,
                     largest > FP16_MAX ? "beyond" : "above an eighth of");
    return QZ_OK;
}

/* Formats of which others write layouts that are not read here: those are looked at by their headers. */
static bool of_servers(const qz_check_job *j) { return qz_deploy_get(j->spec.kind)->opened == QZ_OPENS_SOME; }

/* Formats and families that qz_artifact_open knows. */
static bool readable(const qz_check_job *j) {
    return j->shape->runs && qz_deploy_get(j->spec.kind)->opened != QZ_OPENS_NONE;
}

/* Scales of one number, as the files hold them (qz_artifact_open has spread them over rows or blocks by now). */
static qz_status fused_scales(qz_check_job *j, qz_error *err) {
    qz_st_dir d = {0};
    qz_status st = qz_st_dir_open(&d, j->path, err);
    if (st == QZ_OK) qz_deploy_spec_scales(&d, &j->spec);
    if (st == QZ_OK) st = qz_deploy_shape_scales(&d, &j->arena, &j->deploy, err);
    qz_st_dir_release(&d);
    return st;
}

/* GGUF engines fuse nothing. */
qz_status qz_check_stored_shape(qz_check_job *j, qz_error *err) {
    if (j->spec.kind == QZ_DEPLOY_GGUF || j->spec.kind == QZ_DEPLOY_FLOAT) return QZ_OK;
    QZ_TRY(qz_deploy_shape_model(j->model, &j->arena, &j->deploy, err));
    return j->folder ? fused_scales(j, err) : QZ_OK;
}

/* A manifest that names no file of weights vouches for none. */
static bool weights_listed(qz_check_job *j) {
    size_t i;
    json_t *file;
    json_array_foreach(json_object_get(j->manifest, "files"), i, file) {
        const char *name = json_string_value(json_object_get(file, "name"));
        if (name && (qz_str_ends(name, ".safetensors") || qz_str_ends(name, ".gguf"))) return true;
    }
    qz_check_add(&j->f, "CHK-HASH", "files",
                 "the manifest lists no file of weights: nothing says that they are what was written");
    return false;
}

qz_status qz_check_tensors(qz_check_job *j, qz_error *err) {
    qz_error e = {0};
    if (j->weight_files == 0) { /* a config alone; that of codes is one of an artifact */
        if (j->folder && j->spec.kind != QZ_DEPLOY_FLOAT)
            qz_check_add(&j->f, "CHK-OPEN", "", "config.json announces %s, and no file of weights is here",
                         qz_deploy_get(j->spec.kind)->title);
        return QZ_OK;
    }
    QZ_TRY(qz_check_faults(j, j->weight_files <= OPEN_LIMIT || j->o.deep, err));
    if (j->gguf && j->model == NULL) {
        qz_check_add(&j->f, "CHK-OPEN", "", "%s", j->operand.fault.text);
        return QZ_OK;
    }
    if (j->model == NULL && !readable(j)) {
        const bool codes = !j->shape->runs && (j->weight_files <= OPEN_LIMIT || j->o.deep);
        QZ_TRY(qz_check_headers(j, codes ? NULL : "", err));
        return codes ? qz_check_raw_values(j, err) : QZ_OK;
    }
    if (j->model == NULL && j->weight_files > OPEN_LIMIT && !j->o.deep) {
        qz_check_add(&j->f, "CHK-SCAN", "", "%.2f GB of weights were not read", (double)j->weight_files / 1e9);
        return QZ_OK;
    }
    qz_status st = j->model ? QZ_OK : qz_artifact_open(j->run, j->path, &j->model, &e);
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", e.text);
    if (st == QZ_EUNSUPPORTED && of_servers(j)) { /* another writer's layout */
        const char *why = qz_arena_printf(&j->arena, ": %s", e.text);
        return qz_check_headers(j, why ? why : "", err);
    }
    if (st == QZ_EFORMAT && of_servers(j)) { /* the headers may say what engines stop at */
        const size_t before = j->f.count[QZ_FINDING_ERROR];
        QZ_TRY(qz_check_headers(j, "", err));
        if (j->f.count[QZ_FINDING_ERROR] > before) return QZ_OK;
    }
    if (st != QZ_OK) {
        qz_check_add(&j->f, "CHK-OPEN", "", "%s", e.text);
        return QZ_OK;
    }
    check_leftovers(j);
    QZ_TRY(cache_scales(j, err));
    check_precision(j);
    QZ_TRY(qz_check_stored_shape(j, err));
    QZ_TRY(qz_check_scan(j, j->model, err));
    /* hashes that agree with the manifest say more than any statistics */
    const bool hashed = j->manifest && !j->o.quick && weights_listed(j);
    return j->o.against || !hashed ? qz_check_scales(j, err) : QZ_OK;
}
