/* Shapes of the linears for the pre-flight, and the deployed scheme out of configs. */
#include "artifacts/folder.h"
#include "artifacts/schemes.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "deploy/format_names.h"
#include "deploy/preflight_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How engines split and merge a linear, by the last word of its name. */
typedef struct { const char *suffix, *fused; qz_shard shard; } part;
/* Of models that only the plan knows. */
static const part others[] = {{"q_b_proj", NULL, QZ_SHARD_COLUMN}, {"kv_b_proj", NULL, QZ_SHARD_COLUMN},
                              {"q_a_proj", "qkv_a", QZ_SHARD_NONE},
                              {"kv_a_proj_with_mqa", "qkv_a", QZ_SHARD_NONE}};

static bool part_at(size_t i, part *out) {
    const size_t n = sizeof others / sizeof others[0];
    qz_site s;
    if (i < n) *out = others[i];
    else if (!qz_site_known(i - n, &s)) return false;
    else *out = (part){qz_last_word(s.hf), s.fused ? s.fused->set : NULL, s.shard};
    return true;
}

static void place(qz_deploy_linear *l) {
    part p;
    qz_site s, next;
    for (size_t i = 0; part_at(i, &p); i++)
        if (strcmp(p.suffix, qz_last_word(l->name)) == 0) l->fused = p.fused, l->shard = p.shard;
    for (size_t i = 0; qz_site_known(i, &s); i++)
        if (s.fused && strcmp(s.hf, l->name) == 0) l->last = !qz_site_known(i + 1, &next) || next.fused != s.fused;
}

const char *qz_fused_set(const char *name, size_t len) {
    part p;
    for (size_t i = 0; part_at(i, &p); i++)
        if (strlen(p.suffix) == len && memcmp(p.suffix, name, len) == 0) return p.fused;
    return NULL;
}
const char *qz_fused_part(const char *fused, size_t nth) {
    part p;
    for (size_t i = 0; part_at(i, &p); i++)
        if (p.fused && strcmp(p.fused, fused) == 0 && nth-- == 0) return p.suffix;
    return NULL;
}

/* "model.layers.3.mlp.down_proj.weight" -> "mlp.down_proj" */
static const char *short_name(const char *name, qz_arena *a) {
    const char *p = strstr(name, "layers.");
    size_t n = strlen(name);
    if (p) {
        p += strlen("layers.");
        p += strspn(p, "0123456789");
        n -= (size_t)(p - name) + (*p == '.');
        name = p + (*p == '.');
    }
    if (n > 7 && strcmp(name + n - 7, ".weight") == 0) n -= 7;
    return qz_arena_strndup(a, name, n);
}

qz_status qz_deploy_shape_of(const qz_shape *shape, const char *dtype, qz_arena *arena, qz_deploy_shape *out,
                             qz_error *err) {
    *out = (qz_deploy_shape){.hidden = shape->hidden, .layers = shape->layers, .heads = shape->heads,
                             .kv_heads = shape->config.latent.kv_rank ? 0 : shape->kv_heads,
                             .head_dim = shape->head_dim, .experts = shape->experts, .tied = shape->tied,
                             .dtype = dtype ? dtype : ""};
    (void)snprintf(out->family, sizeof out->family, "%s", shape->model_type);
    enum { LIMIT = 64 }; /* distinct linears of a model: names times the shapes they have in different layers */
    out->linears = qz_arena_calloc(arena, LIMIT, sizeof *out->linears);
    if (out->linears == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < shape->n_tensors; i++) {
        const qz_shape_tensor *t = &shape->tensors[i];
        bool known = t->layer < 0 || (t->role != QZ_ROLE_LINEAR && t->role != QZ_ROLE_EXPERT);
        const char *name = known ? NULL : short_name(t->name, arena);
        for (size_t k = 0; k < out->n && !known && name; k++)
            known = out->linears[k].rows == t->rows && out->linears[k].cols == t->cols &&
                    strcmp(out->linears[k].name, name) == 0;
        if (known || out->n == LIMIT) continue;
        if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        out->linears[out->n] = (qz_deploy_linear){.name = name, .rows = t->rows, .cols = t->cols};
        place(&out->linears[out->n++]);
    }
    return QZ_OK;
}

static const char *dtype_name(qz_type t) {
    return t == QZ_TYPE_BF16 ? "bfloat16" : t == QZ_TYPE_F16 ? "float16" : t == QZ_TYPE_F32 ? "float32" : "";
}

static qz_deploy_linear *find(const qz_deploy_shape *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->linears[i].name, name) == 0) return &s->linears[i];
    return NULL;
}

qz_status qz_deploy_shape_config(const qz_config *c, qz_arena *arena, qz_deploy_shape *out, qz_error *err) {
    *out = (qz_deploy_shape){.hidden = c->hidden_size, .layers = c->layers, .heads = c->heads, .kv_heads = c->kv_heads,
                             .head_dim = c->head_dim,
                             .tied = c->tie_embeddings, .dtype = dtype_name(c->dtype)};
    (void)snprintf(out->family, sizeof out->family, "%s", qz_family_get(c->family)->name);
    enum { MIXERS = 2 }; /* that a family has at most */
    const size_t room = (size_t)MIXERS * QZ_LINEARS;
    out->linears = qz_arena_calloc(arena, room, sizeof *out->linears);
    if (out->linears == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    size_t first = 0; /* with experts their widths decide; dense layers beside them are wider */
    while (first + 1 < c->layers && c->experts && !qz_config_sparse(c, first)) first++;
    for (size_t layer = first; layer < c->layers; layer++) { /* hybrids have other linears in other layers */
        if (qz_config_sparse(c, layer) != qz_config_sparse(c, first)) continue;
        for (size_t l = 0; l < QZ_LINEARS; l++) {
            qz_site s;
            if (!qz_site_of(c, layer, l, &s) || find(out, s.name) || out->n == room) continue;
            out->linears[out->n] = (qz_deploy_linear){.name = s.name, .rows = s.rows, .cols = s.cols};
            place(&out->linears[out->n++]);
        }
    }
    return QZ_OK;
}

static const char *stored_as(const qz_tensor_view *t, qz_arena *a) {
    char buf[32];
    return qz_arena_strdup(a, qz_tensor_type_text(t, buf));
}

static bool same_codes(const qz_coded *a, const qz_coded *b) {
    if (a == NULL || b == NULL || a->ops != b->ops) return a == NULL && b == NULL;
    const qz_code_layout x = a->ops->layout(a), y = b->ops->layout(b);
    return x.bits == y.bits && x.group == y.group;
}

/* As qz_deploy_shape_of names it: "…layers.3.mlp.experts.7.up_proj.weight" is "mlp.experts.*.up_proj". */
static const char *listed_name(const qz_tensor_view *t, qz_arena *a) {
    const char *name = short_name(t->name, a), *mark = ".experts.", *at = name ? strstr(name, mark) : NULL;
    if (at == NULL) return name;
    at += strlen(mark);
    const size_t digits = strspn(at, "0123456789");
    return digits ? qz_arena_printf(a, "%.*s*%s", (int)(at - name), name, at + digits) : name;
}

static const qz_tensor_view *held_at(const qz_model *m, size_t layer, size_t k) {
    return m->blocks[layer].linear[k] ? m->blocks[layer].linear[k]
           : m->blocks[layer].expert[k] ? m->blocks[layer].expert[k][0]
                                        : NULL;
}
bool qz_deploy_linear_is(const qz_deploy_linear *l, const qz_model *m, size_t layer, size_t k, qz_arena *a) {
    qz_site s;
    if (!qz_site_of(&m->config, layer, k, &s)) return false;
    if (strcmp(l->name, s.name) == 0) return true;
    const qz_tensor_view *t = held_at(m, layer, k);
    const char *name = t ? listed_name(t, a) : NULL;
    return name && strcmp(l->name, name) == 0;
}

/* Of linears that engines load as one matrix: those that a file stores otherwise than the first. */
static qz_status find_odd(const qz_model *m, size_t layer, const qz_input *in, qz_arena *arena, qz_deploy_shape *out,
                          qz_error *err) {
    const qz_tensor_view *first = m->blocks[layer].linear[in->first], *t;
    const char *name;
    for (size_t l = in->first + 1; in->fused && first && l < in->first + in->n; l++) {
        qz_site s;
        qz_deploy_linear *d = NULL;
        if (!qz_site_of(&m->config, layer, l, &s) || (t = m->blocks[layer].linear[l]) == NULL) continue;
        if ((name = listed_name(t, arena)) == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        d = find(out, name);
        if (d == NULL || d->odd || (t->type == first->type && same_codes(t->coded, first->coded))) continue;
        d->odd = qz_arena_strdup(arena, t->name);
        d->scheme = stored_as(t, arena);
        if (d->odd == NULL || d->scheme == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    return QZ_OK;
}

qz_status qz_deploy_shape_model(const qz_model *m, qz_arena *arena, qz_deploy_shape *out, qz_error *err) {
    qz_input_widths w;
    qz_input_widths_of(&m->config, &w);
    for (size_t layer = 0; layer < m->config.layers; layer++)
        for (size_t s = 0; s < qz_stages(&w, layer); s++) {
            const qz_input in = qz_stage_input(&w, layer, s);
            QZ_TRY(find_odd(m, layer, &in, arena, out, err));
        }
    return QZ_OK;
}

/* ---- specs ---- */
void qz_deploy_spec_level(const char *name, qz_level level, qz_deploy_spec *out) {
    *out = (qz_deploy_spec){.kind = qz_deploy_of_level(name), .zero_point = true};
    if (level < QZ_LEVEL_COUNT) {
        out->bits = qz_level_get(level)->bits;
        if (qz_deploy_get(out->kind)->grouped) out->group_size = (long)qz_level_get(level)->group;
    }
    out->sym = out->kind != QZ_DEPLOY_AWQ;
}

void qz_deploy_spec_scheme(const qz_scheme_spec *s, qz_deploy_spec *out) {
    *out = (qz_deploy_spec){.kind = qz_deploy_of_level(s->name), .bits = s->bits, .sym = s->sym, .zero_point = true};
    const qz_deploy_info *k = qz_deploy_get(out->kind);
    if (k->grouped) out->group_size = qz_group_written(s->group_size);
    if (out->bits == 0) out->bits = k->bits;
    if (out->kind == QZ_DEPLOY_GGUF)
        out->block = qz_type_get(qz_type_by_ggml_id((int)qz_ftype_get(s->ftype)->type))->elems;
    if (s->kv)
        (void)snprintf(out->kv_scheme, sizeof out->kv_scheme, s->kv == QZ_KV_SCALES_HEAD ? "attn_head" : "tensor");
    if (out->kind == QZ_DEPLOY_CT_INT && s->inputs.bits)
        (void)snprintf(out->inputs, sizeof out->inputs, s->inputs.element == QZ_ELEMENT_INT ? "int%u" : "fp%u",
                       s->inputs.bits % 100);
    out->plain_scales = out->kind == QZ_DEPLOY_FP8 && s->scheme == QZ_SCHEME_FP8;
    out->act_order = s->act_order;
    out->lm_head = s->lm_head;
    out->v1 = out->kind == QZ_DEPLOY_GPTQ && !s->v2;
    (void)snprintf(out->method, sizeof out->method, "%s", k->name);
}

static qz_status text(const json_t *q, const char *key, const char *name, char *out, size_t size, qz_error *err) {
    const char *s = NULL;
    QZ_TRY(qz_json_str(q, key, name, &s, err));
    if (s) (void)snprintf(out, size, "%s", s);
    return QZ_OK;
}
/* The first of several spellings that is there. */
static qz_status number(const json_t *q, const char *const *keys, const char *name, long *out, qz_error *err) {
    for (; *keys; keys++) {
        const json_t *v = json_object_get(q, *keys);
        if (v == NULL || json_is_null(v)) continue;
        if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > 1 << 20)
            return qz_fail(err, QZ_EFORMAT,
                           "wrong value: file '%s', key '%s': expected a whole number from -1 to 1048576", name, *keys);
        *out = (long)json_integer_value(v);
        return QZ_OK;
    }
    return QZ_OK;
}

static const char *stray(const json_t *o, const char *const *known) {
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v) {
        bool is_known = false;
        for (const char *const *k = known; *k && !is_known; k++) is_known = strcmp(*k, key) == 0;
        if (!is_known) return key;
    }
    return NULL;
}

/* Scales of an FP8 cache, as compressed-tensors describes them. */
static void spec_cache(const json_t *q, qz_deploy_spec *o) {
    const json_t *kv = json_object_get(q, "kv_cache_scheme");
    if (!json_is_object(kv)) return;
    const char *strategy = json_string_value(json_object_get(kv, "strategy")),
               *type = json_string_value(json_object_get(kv, "type"));
    bool good = type && strcmp(type, "float") == 0 && json_integer_value(json_object_get(kv, "num_bits")) == 8 &&
                !json_is_false(json_object_get(kv, "symmetric"));
    (void)snprintf(o->kv_scheme, sizeof o->kv_scheme, "%.23s", !good ? "unsupported" : strategy ? strategy : "tensor");
}

/* Strict readers refuse a whole file for one unknown key inside a scheme; status, KV scheme and transforms
 * decide as well. */
static void spec_ct_rest(const json_t *q, qz_deploy_spec *o) {
    static const char *const scheme_keys[] = {"targets", "weights", "input_activations", "output_activations", "format",
                                              NULL};
    static const char *const args_keys[] = {"num_bits", "type", "symmetric", "group_size", "strategy",
                                            "block_structure", "dynamic", "actorder", "scale_dtype", "zp_dtype",
                                            "observer", "observer_kwargs", NULL};
    static const char *const args[] = {"weights", "input_activations", "output_activations"};
    const char *key, *bad = NULL, *status = json_string_value(json_object_get(q, "quantization_status"));
    json_t *group;
    json_object_foreach(json_object_get(q, "config_groups"), key, group) {
        if (!bad) bad = stray(group, scheme_keys);
        for (size_t i = 0; i < 3 && !bad; i++) bad = stray(json_object_get(group, args[i]), args_keys);
    }
    if (bad) (void)snprintf(o->stray_key, sizeof o->stray_key, "%.39s", bad);
    if (status) (void)snprintf(o->status, sizeof o->status, "%.23s", status);
    const json_t *t = json_object_get(q, "transform_config"), *sparse = json_object_get(q, "sparsity_config");
    o->transforms = json_is_object(t) && json_object_size(t) > 0;
    o->sparse = json_is_object(sparse) && json_object_size(sparse) > 0;
    spec_cache(q, o);
}

/* compressed-tensors: the first config group decides. */
static void spec_ct(const json_t *q, qz_deploy_spec *o) {
    const char *format = json_string_value(json_object_get(q, "format"));
    const char *key;
    json_t *group, *groups = json_object_get(q, "config_groups");
    const json_t *w = NULL, *in = NULL;
    json_object_foreach(groups, key, group) {
        w = json_object_get(group, "weights");
        in = json_object_get(group, "input_activations");
        if (json_is_string(json_object_get(group, "format")))
            format = json_string_value(json_object_get(group, "format"));
        if (json_is_object(w)) break;
    }
    const json_t *bits = json_object_get(w, "num_bits"), *g = json_object_get(w, "group_size");
    const char *type = json_string_value(json_object_get(w, "type")),
               *strategy = json_string_value(json_object_get(w, "strategy"));
    const char *act = json_string_value(json_object_get(w, "actorder"));
    o->bits = json_is_integer(bits) && json_integer_value(bits) > 0 && json_integer_value(bits) <= 16
                  ? (unsigned)json_integer_value(bits)
                  : 0;
    o->sym = !json_is_false(json_object_get(w, "symmetric"));
    o->act_order = json_is_true(json_object_get(w, "actorder")) ||
                   (act && (strcmp(act, "group") == 0 || strcmp(act, "dynamic") == 0));
    spec_ct_rest(q, o);
    o->kind = QZ_DEPLOY_UNKNOWN;
    bool is_float = type && strcmp(type, "float") == 0;
    if (format && strncmp(format, "nvfp4", 5) == 0) o->kind = QZ_DEPLOY_NVFP4;
    else if (format && strncmp(format, "mxfp4", 5) == 0) o->kind = QZ_DEPLOY_CT_MXFP4;
    else if (format && strncmp(format, "mxfp6", 5) == 0) o->kind = QZ_DEPLOY_CT_MXFP6;
    else if (format && strncmp(format, "mxfp8", 5) == 0) o->kind = QZ_DEPLOY_MXFP8;
    else if (is_float && o->bits == 8)
        o->kind = strategy && strcmp(strategy, "block") == 0 ? QZ_DEPLOY_FP8_BLOCK : QZ_DEPLOY_FP8;
    else if (json_is_object(in) && o->bits == 8) o->kind = QZ_DEPLOY_CT_W8A8;
    else if (o->bits) {
        const json_t *to = json_object_get(in, "num_bits");
        const char *element = json_string_value(json_object_get(in, "type"));
        o->kind = QZ_DEPLOY_CT_INT;
        if (json_is_object(in)) /* the library's defaults are int, 8 */
            (void)snprintf(o->inputs, sizeof o->inputs, "%s%d", element && strcmp(element, "float") == 0 ? "fp" : "int",
                           json_is_integer(to) ? (int)(json_integer_value(to) % 100) : 8);
        o->group_size = json_is_integer(g) && json_integer_value(g) > 0 && json_integer_value(g) <= 1 << 20
                            ? (long)json_integer_value(g)
                            : -1;
    }
}

static qz_status spec_groups(const json_t *q, const char *name, qz_deploy_spec *o, qz_error *err) {
    static const char *const bits_keys[] = {"bits", "w_bit", "wbits", NULL}, *const group_keys[] = {"group_size",
                                            "q_group_size", NULL};
    long bits = o->kind == QZ_DEPLOY_AWQ ? 4 : 0, group = o->kind == QZ_DEPLOY_AWQ ? 128 : -1;
    QZ_TRY(number(q, bits_keys, name, &bits, err));
    QZ_TRY(number(q, group_keys, name, &group, err));
    if (bits < 1 || bits > 16)
        return qz_fail(err, QZ_EFORMAT,
                       "key 'bits' is missing or wrong: file '%s', quantization_config: expected 2 to 8, found %ld",
                       name, bits);
    o->bits = (unsigned)bits;
    o->group_size = group ? group : -1;
    QZ_TRY(qz_json_bool(q, "zero_point", name, &o->zero_point, err));
    o->sym = o->kind == QZ_DEPLOY_AWQ ? !o->zero_point : true;
    QZ_TRY(qz_json_bool(q, "sym", name, &o->sym, err));
    QZ_TRY(qz_json_bool(q, "desc_act", name, &o->act_order, err));
    QZ_TRY(qz_json_bool(q, "lm_head", name, &o->lm_head, err));
    QZ_TRY(
        text(q, o->kind == QZ_DEPLOY_AWQ ? "version" : "checkpoint_format", name, o->version, sizeof o->version, err));
    const char *maker = NULL;
    const json_t *m = json_object_get(json_object_get(q, "meta"), "quantizer");
    if (json_is_array(m)) m = json_array_get(m, 0);
    maker = json_string_value(m);
    o->v1 = o->kind == QZ_DEPLOY_GPTQ && strcmp(o->version, "gptq_v2") != 0 &&
            !(maker && strncmp(maker, "gptqmodel", 9) == 0);
    return QZ_OK;
}

qz_status qz_deploy_spec_object(const json_t *q, const char *name, qz_deploy_spec *o, qz_error *err) {
    *o = (qz_deploy_spec){.kind = QZ_DEPLOY_UNKNOWN, .zero_point = true, .sym = true};
    if (!json_is_object(q))
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'quantization_config': expected an object", name);
    QZ_TRY(text(q, "quant_method", name, o->method, sizeof o->method, err));
    bool four = false, eight = false;
    QZ_TRY(qz_json_bool(q, "load_in_4bit", name, &four, err));
    QZ_TRY(qz_json_bool(q, "load_in_8bit", name, &eight, err));
    o->kind = qz_deploy_of_method(o->method);
    const char *family = qz_folder_method(&(qz_folder_config){.q = q});
    if (family && strcmp(family, QZ_FOLDER_MODELOPT) == 0) {
        const char *algo = json_string_value(json_object_get(q, "quant_algo")),
                   *scheme = qz_folder_modelopt_scheme(algo);
        const char *cache = json_string_value(json_object_get(q, "kv_cache_quant_algo"));
        if (!cache) spec_cache(q, o); /* config.json has it so, hf_quant_config.json by name */
        if (cache)
            (void)snprintf(o->kv_scheme, sizeof o->kv_scheme, strcasecmp(cache, "FP8") == 0 ? "tensor" : "unsupported");
        if (algo) o->kind = scheme ? qz_deploy_of_level(scheme) : QZ_DEPLOY_UNKNOWN;
    }
    if (four || eight) o->kind = QZ_DEPLOY_BNB; /* wins even without quant_method */
    else if (qz_folder_bnb_off(q)) o->kind = QZ_DEPLOY_FLOAT;
    else if (o->method[0] == 0 && json_object_get(q, "q_group_size")) o->kind = QZ_DEPLOY_AWQ; /* AutoAWQ's own file */
    else if (o->method[0] == 0 && json_object_get(q, "desc_act")) o->kind = QZ_DEPLOY_GPTQ;
    else if (o->method[0] == 0 && json_object_get(q, "group_size") && json_object_get(q, "mode") == NULL &&
             json_object_size(q) <= 3)
        o->kind = QZ_DEPLOY_MLX;
    const json_t *block = json_object_get(q, "weight_block_size");
    switch (o->kind) {
    case QZ_DEPLOY_AWQ:
    case QZ_DEPLOY_GPTQ: return spec_groups(q, name, o, err);
    case QZ_DEPLOY_CT_INT: spec_ct(q, o); break;
    case QZ_DEPLOY_BNB: o->bits = eight ? 8 : 4; break;
    case QZ_DEPLOY_FP8:
        if (json_is_array(block)) {
            o->kind = QZ_DEPLOY_FP8_BLOCK;
            json_int_t r = json_integer_value(json_array_get(block, 0)),
                       c = json_integer_value(json_array_get(block, 1));
            if (r < 1 || c < 1 || r > 65536 || c > 65536)
                return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'weight_block_size': expected two numbers",
                               name);
            o->block_rows = (unsigned)r;
            o->block_cols = (unsigned)c;
        }
        break;
    default: break;
    }
    if (o->bits == 0) o->bits = qz_deploy_get(o->kind)->bits;
    return QZ_OK;
}

qz_status qz_deploy_spec_json(const json_t *root, const char *name, qz_deploy_spec *o, qz_error *err) {
    const json_t *q = json_object_get(root, "quantization_config");
    if (qz_json_empty(q)) q = json_object_get(json_object_get(root, "text_config"), "quantization_config");
    if (qz_json_empty(q)) q = json_object_get(root, "compression_config");
    if (qz_json_empty(q)) q = json_object_get(root, "quantization"); /* MLX */
    if (!qz_json_empty(q)) return qz_deploy_spec_object(q, name, o, err);
    *o = (qz_deploy_spec){.kind = QZ_DEPLOY_FLOAT, .bits = 16, .sym = true, .zero_point = true};
    return QZ_OK;
}

const char *qz_deploy_cache(const qz_deploy_spec *s) {
    return s->kv_scheme[0] && strcmp(s->kv_scheme, "unsupported") != 0 ? "fp8" : NULL;
}

const char *qz_deploy_spec_text(const qz_deploy_spec *s, char buf[96]) {
    const qz_deploy_info *k = qz_deploy_get(s->kind);
    if (k->grouped)
        (void)snprintf(buf, 96, "%s, %u bits, group %ld, %s%s", k->title, s->bits, s->group_size,
                       s->sym ? "symmetric" : "asymmetric", s->act_order ? ", act_order" : "");
    else (void)snprintf(buf, 96, "%s", k->title);
    return buf;
}
