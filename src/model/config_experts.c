#include "model/config_experts.h"
#include "base/json.h"
#include "base/size.h"
#include <string.h>

const char *qz_experts_key(const qz_family_info *f) { return f->experts_key ? f->experts_key : "num_local_experts"; }
bool qz_experts_wanted(const json_t *root, const qz_family_info *f) {
    return f->experts > 0 && (f->experts_switch == NULL || json_is_true(json_object_get(root, f->experts_switch)));
}
const char *qz_used_key(const qz_family_info *f) {
    return f->experts_used_key ? f->experts_used_key : "num_experts_per_tok";
}
const char *qz_dense_keys(const qz_family_info *f) {
    static const char *const words[] = {[QZ_DENSE_NONE] = "model_type",
                                        [QZ_DENSE_STEP] = "mlp_only_layers, decoder_sparse_step",
                                        [QZ_DENSE_FIRST] = "first_k_dense_replace",
                                        [QZ_DENSE_LISTED] = "moe_layers, interleave_moe_layer_step"};
    return words[f->dense];
}

/* A list of layers; each gets `value`. */
static qz_status read_listed(const json_t *root, const char *key, const char *name, uint8_t value, qz_config *c,
                             qz_error *err) {
    const json_t *list = json_object_get(root, key);
    if (list && !json_is_null(list) && !json_is_array(list))
        return qz_fail(err, QZ_EFORMAT,
                       "wrong kind: file '%s', key '%s': expected a list of layers or null, found %s", name, key,
                       qz_json_kind(list));
    if (json_is_array(list) && value == 0) memset(c->layer_dense, 1, c->layers); /* what is not listed is the other */
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *v = json_array_get(list, k);
        if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) >= c->layers)
            return qz_fail(err, QZ_EFORMAT,
                           "wrong value: file '%s', key '%s', entry %zu: expected a layer below %llu", name, key, k,
                           (unsigned long long)c->layers);
        c->layer_dense[json_integer_value(v)] = value;
    }
    return QZ_OK;
}

static qz_status read_dense(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                            qz_error *err) {
    uint64_t step = 1, first = f->first_dense;
    switch (f->dense) {
    case QZ_DENSE_NONE: return QZ_OK;
    case QZ_DENSE_FIRST:
        QZ_TRY(qz_json_u64(root, "first_k_dense_replace", name, &first, err));
        for (uint64_t i = 0; i < c->layers; i++) c->layer_dense[i] = i < first;
        return QZ_OK;
    case QZ_DENSE_STEP:
    case QZ_DENSE_LISTED: break;
    }
    const bool listed = f->dense == QZ_DENSE_LISTED;
    QZ_TRY(qz_json_u64(root, listed ? "interleave_moe_layer_step" : "decoder_sparse_step", name, &step, err));
    for (uint64_t i = 0; i < c->layers; i++) c->layer_dense[i] = step == 0 || (i + 1) % step != 0;
    return read_listed(root, listed ? "moe_layers" : "mlp_only_layers", name, !listed, c, err);
}

/* Several spellings of one number. */
static qz_status read_count(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                            qz_error *err) {
    static const char *const known[] = {"num_experts", "num_local_experts"};
    const char *own = qz_experts_key(f), *keys[3] = {known[0], known[1], own}, *from = NULL;
    const bool third = strcmp(own, known[0]) != 0 && strcmp(own, known[1]) != 0;
    c->experts_key = own; /* what the family's own files say */
    for (size_t i = 0; i < (third ? 3 : 2); i++) {
        uint64_t n = 0;
        QZ_TRY(qz_json_u64(root, keys[i], name, &n, err));
        if (!json_is_integer(json_object_get(root, keys[i]))) continue;
        if (from && c->experts != n)
            return qz_fail(err, QZ_EFORMAT,
                           "two numbers of experts: file '%s', keys '%s' and '%s': expected one value, found %llu and "
                           "%llu; keep the one that fits the tensors",
                           name, from, keys[i], (unsigned long long)c->experts, (unsigned long long)n);
        from = c->experts_key = keys[i];
        c->experts = n;
    }
    return QZ_OK;
}

/* Groups are equal parts, and what is kept of them must hold the chosen experts. */
static qz_status read_groups(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                             qz_error *err) {
    if (f->groups == 0) return QZ_OK;
    const char *method = "greedy";
    c->groups = f->groups, c->groups_kept = f->groups_kept, c->group_max = f->group_max;
    if (f->group_max) QZ_TRY(qz_json_str(root, "topk_method", name, &method, err));
    if (f->group_max && strcmp(method, "group_limited_greedy") != 0) return QZ_OK; /* config_same.def: another word */
    QZ_TRY(qz_json_u64(root, "n_group", name, &c->groups, err));
    QZ_TRY(qz_json_u64(root, "topk_group", name, &c->groups_kept, err));
    const bool fits = c->groups >= 1 && c->groups_kept >= 1 && c->groups_kept <= c->groups &&
                      c->experts % c->groups == 0 && c->experts / c->groups * c->groups_kept >= c->experts_used;
    if (fits && (c->groups == 1 || c->group_max || c->experts / c->groups >= 2)) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "groups of experts: file '%s', keys 'n_group' and 'topk_group': expected equal groups of two "
                   "experts or more that hold %llu of %llu, found %llu, of which %llu are kept",
                   name, (unsigned long long)c->experts_used, (unsigned long long)c->experts,
                   (unsigned long long)c->groups, (unsigned long long)c->groups_kept);
}

static qz_status read_shared(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                             qz_error *err) {
    uint64_t n = f->shared_default;
    switch (f->shared) {
    case QZ_SHARED_NONE: return QZ_OK;
    case QZ_SHARED_GATED:
        QZ_TRY(qz_json_u64(root, "shared_expert_intermediate_size", name, &n, err));
        c->shared_width = n;
        break;
    case QZ_SHARED_COUNTED:
        QZ_TRY(qz_json_u64(root, "n_shared_experts", name, &n, err));
        if (n <= QZ_MAX_EXPERTS) c->shared_width = n * c->expert_width;
        break;
    case QZ_SHARED_ONE: c->shared_width = c->expert_width; break;
    }
    if (n > (1u << 22) || c->shared_width > (1u << 22))
        return qz_fail(err, QZ_EFORMAT, "shared expert out of range: file '%s', key '%s': expected a width up to %u, "
                       "found %llu", name,
                       f->shared == QZ_SHARED_GATED ? "shared_expert_intermediate_size" : "n_shared_experts", 1u << 22,
                       (unsigned long long)n);
    if (c->shared_width) c->ffn = QZ_KIND_SHARED_EXPERTS;
    return QZ_OK;
}

qz_status qz_config_experts(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                            qz_error *err) {
    if (!qz_experts_wanted(root, f)) return QZ_OK;
    c->experts = f->experts;
    c->experts_used = f->experts_used;
    c->expert_width = f->expert_width ? f->expert_width : c->intermediate_size;
    if (f->mlp_width_key) QZ_TRY(qz_json_u64(root, f->mlp_width_key, name, &c->intermediate_size, err));
    c->norm_topk = f->norm_topk_key ? f->norm_topk : f->route == QZ_ROUTE_SOFTMAX;
    c->route = f->route;
    QZ_TRY(read_count(root, name, f, c, err));
    QZ_TRY(qz_json_u64(root, qz_used_key(f), name, &c->experts_used, err));
    if (f->expert_width) QZ_TRY(qz_json_u64(root, "moe_intermediate_size", name, &c->expert_width, err));
    if (f->norm_topk_key) QZ_TRY(qz_json_bool(root, "norm_topk_prob", name, &c->norm_topk, err));
    const uint64_t least = f->dense == QZ_DENSE_STEP ? 0 : 1; /* qwen3_moe with no experts is dense throughout */
    if (c->experts < least || c->experts > QZ_MAX_EXPERTS)
        return qz_fail(err, QZ_EFORMAT, "experts out of range: file '%s', key '%s': expected %llu to %d, found %llu",
                       name, c->experts_key, (unsigned long long)least, QZ_MAX_EXPERTS, (unsigned long long)c->experts);
    if (c->experts_used == 0 || (c->experts && c->experts_used > c->experts))
        return qz_fail(err, QZ_EFORMAT,
                       "experts out of range: file '%s', key '%s': expected 1 to %llu, found %llu",
                       name, qz_used_key(f), (unsigned long long)qz_max_size(1, (size_t)c->experts),
                       (unsigned long long)c->experts_used);
    if (c->route == QZ_ROUTE_SPARSEMIXER && c->experts_used != 2)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "experts for each token: file '%s', key 'num_experts_per_tok': expected 2, which the sparse "
                       "mixer chooses, found %llu",
                       name, (unsigned long long)c->experts_used);
    if (c->expert_width == 0 || c->expert_width > (1u << 22))
        return qz_fail(err, QZ_EFORMAT, "width of experts out of range: file '%s', key '%s': expected 1 to %u, found "
                       "%llu", name, f->expert_width ? "moe_intermediate_size" : "intermediate_size", 1u << 22,
                       (unsigned long long)c->expert_width);
    QZ_TRY(read_groups(root, name, f, c, err));
    QZ_TRY(read_shared(root, name, f, c, err));
    return read_dense(root, name, f, c, err);
}
