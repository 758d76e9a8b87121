/* What GGUF metadata says of experts, beyond their number: groups, rule of the router, the shared one, dense layers.
 * Source: formats/families-2.md section 13. */
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include <stdio.h>

enum { GATING_SOFTMAX = 1, GATING_SIGMOID = 2 };
typedef struct { const char *arch; char text[96]; } key;
static const char *k(key *b, const char *suffix) {
    (void)snprintf(b->text, sizeof b->text, "%.40s.%s", b->arch, suffix);
    return b->text;
}

uint64_t qz_gguf_first_dense(const qz_config *c) {
    uint64_t n = 0;
    while (n < c->layers && c->layer_dense[n]) n++;
    return n;
}

/* Every n-th layer has experts: n; 0: no such n. */
uint64_t qz_gguf_expert_step(const qz_config *c) {
    for (uint64_t n = 1; n <= c->layers; n++) {
        bool fits = true;
        for (uint64_t l = 0; l < c->layers && fits; l++) fits = (c->layer_dense[l] == 0) == ((l + 1) % n == 0);
        if (fits) return n;
    }
    return 0;
}

/* llama.cpp takes 128 experts for the model without norms of queries and keys. */
bool qz_gguf_qk_plain(const qz_config *c) { return qz_family_get(c->family)->qk_plain_key && c->experts != 128; }

void qz_gguf_put_expert_counts(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    key b = {.arch = arch};
    if (c->experts == 0) return;
    qz_gguf_put_u32(m, k(&b, "expert_count"), (uint32_t)c->experts);
    qz_gguf_put_u32(m, k(&b, "expert_used_count"), (uint32_t)c->experts_used);
    if (c->groups == 0) return;
    qz_gguf_put_u32(m, k(&b, "expert_group_count"), (uint32_t)c->groups);
    qz_gguf_put_u32(m, k(&b, "expert_group_used_count"), (uint32_t)c->groups_kept);
}

void qz_gguf_put_expert_rules(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    const qz_family_info *f = qz_family_get(c->family);
    key b = {.arch = arch};
    if (c->experts == 0) return;
    if (!f->gguf_permuted || c->expert_width != c->intermediate_size)
        qz_gguf_put_u32(m, k(&b, "expert_feed_forward_length"), (uint32_t)c->expert_width);
    if (f->shared == QZ_SHARED_GATED)
        qz_gguf_put_u32(m, k(&b, "expert_shared_feed_forward_length"), (uint32_t)c->shared_width);
    if (f->shared == QZ_SHARED_COUNTED)
        qz_gguf_put_u32(m, k(&b, "expert_shared_count"), (uint32_t)(c->shared_width / c->expert_width));
    if (f->dense == QZ_DENSE_FIRST)
        qz_gguf_put_u32(m, k(&b, "leading_dense_block_count"), (uint32_t)qz_gguf_first_dense(c));
    if (f->dense == QZ_DENSE_LISTED)
        qz_gguf_put_u32(m, k(&b, "interleave_moe_layer_step"), (uint32_t)qz_gguf_expert_step(c));
    if (c->route == QZ_ROUTE_SIGMOID) qz_gguf_put_u32(m, k(&b, "expert_gating_func"), GATING_SIGMOID);
    if (c->groups && (c->norm_topk || c->latent.kv_rank == 0)) /* absent is false */
        qz_gguf_put_bool(m, k(&b, "expert_weights_norm"), c->norm_topk);
}

static qz_status read_rules(const qz_gguf *g, key *b, qz_config *c, qz_error *err) {
    const qz_family_info *f = qz_family_get(c->family);
    uint64_t gating = 0;
    c->route = f->route;
    c->norm_topk = f->route == QZ_ROUTE_SOFTMAX && !f->gguf_topk_as_is;
    c->group_max = f->group_max;
    c->groups = f->groups ? 1 : 0, c->groups_kept = c->groups;
    if (f->groups == 0) return QZ_OK;
    c->norm_topk = false; /* as its loader: absent is false */
    QZ_TRY(qz_gguf_bool(g, k(b, "expert_weights_norm"), false, &c->norm_topk, err));
    QZ_TRY(qz_gguf_u64(g, k(b, "expert_group_count"), false, &c->groups, err));
    QZ_TRY(qz_gguf_u64(g, k(b, "expert_group_used_count"), false, &c->groups_kept, err));
    if (c->groups <= 1) c->groups = c->groups_kept = 1;
    if (c->experts % c->groups || c->groups_kept < 1 || c->groups_kept > c->groups ||
        c->experts / c->groups * c->groups_kept < c->experts_used)
        return qz_fail(err, QZ_EFORMAT,
                       "groups of experts: file '%s', key '%s': expected equal groups that hold %llu of %llu experts, "
                       "found %llu, of which %llu are kept",
                       g->path, b->text, (unsigned long long)c->experts_used, (unsigned long long)c->experts,
                       (unsigned long long)c->groups, (unsigned long long)c->groups_kept);
    QZ_TRY(qz_gguf_u64(g, k(b, "expert_gating_func"), false, &gating, err));
    if (gating == GATING_SOFTMAX) c->route = QZ_ROUTE_SOFTMAX;
    else if (gating == GATING_SIGMOID) c->route = QZ_ROUTE_SIGMOID;
    else if (gating != 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unknown rule of the router: file '%s', key '%s': expected 1 (softmax) or 2 (sigmoid), found "
                       "%llu",
                       g->path, b->text, (unsigned long long)gating);
    return QZ_OK;
}

static qz_status read_shared(const qz_gguf *g, key *b, qz_config *c, qz_error *err) {
    const qz_family_info *f = qz_family_get(c->family);
    uint64_t n = f->shared_default;
    if (f->shared == QZ_SHARED_GATED) {
        n = c->expert_width;
        QZ_TRY(qz_gguf_u64(g, k(b, "expert_shared_feed_forward_length"), false, &n, err));
        c->shared_width = n;
    } else if (f->shared == QZ_SHARED_COUNTED) {
        QZ_TRY(qz_gguf_u64(g, k(b, "expert_shared_count"), false, &n, err));
        c->shared_width = n <= QZ_MAX_EXPERTS ? n * c->expert_width : n;
    } else if (f->shared == QZ_SHARED_ONE) c->shared_width = c->expert_width;
    if (c->shared_width > 1u << 22)
        return qz_fail(err, QZ_EFORMAT,
                       "value out of range: file '%s', key '%s': expected a width up to %u, found %llu", g->path,
                       b->text, 1u << 22, (unsigned long long)c->shared_width);
    if (c->shared_width) c->ffn = QZ_KIND_SHARED_EXPERTS;
    return QZ_OK;
}

static qz_status read_dense(const qz_gguf *g, key *b, qz_config *c, qz_error *err) {
    const qz_dense dense = qz_family_get(c->family)->dense;
    uint64_t n = dense == QZ_DENSE_LISTED;
    if (dense != QZ_DENSE_FIRST && dense != QZ_DENSE_LISTED) return QZ_OK;
    QZ_TRY(qz_gguf_u64(g, k(b, n ? "interleave_moe_layer_step" : "leading_dense_block_count"), false, &n, err));
    for (uint64_t l = 0; l < c->layers; l++)
        c->layer_dense[l] = dense == QZ_DENSE_FIRST ? l < n : n == 0 || (l + 1) % n != 0;
    return QZ_OK;
}

qz_status qz_gguf_read_experts(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err) {
    key b = {.arch = arch};
    QZ_TRY(qz_gguf_u64(g, k(&b, "expert_count"), true, &c->experts, err));
    c->experts_key = "expert_count";
    QZ_TRY(qz_gguf_u64(g, k(&b, "expert_used_count"), true, &c->experts_used, err));
    if (c->experts < 1 || c->experts > QZ_MAX_EXPERTS || c->experts_used < 1 || c->experts_used > c->experts)
        return qz_fail(err, QZ_EFORMAT,
                       "value out of range: file '%s', key '%s': expected 1 to %d experts and as many used at most, "
                       "found %llu and %llu",
                       g->path, b.text, QZ_MAX_EXPERTS, (unsigned long long)c->experts,
                       (unsigned long long)c->experts_used);
    c->expert_width = c->intermediate_size;
    QZ_TRY(qz_gguf_u64(g, k(&b, "expert_feed_forward_length"), false, &c->expert_width, err));
    if (c->expert_width < 1 || c->expert_width > 1u << 22)
        return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key '%s': expected 1 to %u, found %llu",
                       g->path, b.text, 1u << 22, (unsigned long long)c->expert_width);
    c->qk_plain = qz_gguf_qk_plain(c);
    QZ_TRY(read_rules(g, &b, c, err));
    QZ_TRY(read_shared(g, &b, c, err));
    return read_dense(g, &b, c, err);
}
