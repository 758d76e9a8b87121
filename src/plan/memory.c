#include "plan/memory.h"
#include "base/size.h"

/* Widest activation of a block: feed-forward of a dense layer, or of the experts a token runs through. */
static uint64_t widest(const qz_shape *s) {
    uint64_t moe = s->experts_used * s->expert_width + s->config.shared_width;
    return s->experts == 0 || s->dense_layers ? qz_max_size(s->intermediate, moe) : moe;
}

qz_status qz_memory_plan(const qz_memory_query *q, qz_memory *out, qz_error *err) {
    const qz_shape *s = q->shape;
    *out = (qz_memory){0};
    if (q->level != QZ_LEVEL_COUNT) QZ_TRY(qz_level_weigh(s, q->level, q->imatrix, NULL, &out->weights, err));
    if (q->weight_bytes) { /* measured, or planned by the writer itself */
        out->weights.bytes = q->weight_bytes;
        out->weights.bpw = s->params ? 8.0 * (double)q->weight_bytes / (double)s->params : 0;
    }
    QZ_TRY(qz_kv_plan(s, q->kv, q->users, q->ctx, &out->kv, err));
    uint64_t row = 4 * (s->hidden + 2 * widest(s));
    const uint64_t n = q->devices > 1 ? q->devices : 1;
    bool ok = qz_mul_u64(4 * s->vocab, q->users, &out->logits) && qz_mul_u64(row, q->users, &out->scratch) &&
              qz_add_u64(out->weights.bytes, out->kv.bytes, &out->total) &&
              qz_add_u64(out->total, out->logits, &out->total_buffers) &&
              qz_add_u64(out->total_buffers, out->scratch, &out->total_buffers) &&
              out->total_buffers < (uint64_t)1 << 55 && n < 128;
    if (!ok)
        return qz_fail(err, QZ_EUSAGE,
                       "%llu users × %llu tokens is more than can be counted: model '%s'; give a smaller --ctx or "
                       "--users",
                       (unsigned long long)q->users, (unsigned long long)q->ctx, s->name);
    const uint64_t heads = s->config.latent.kv_rank ? 1 : qz_min_size(n, s->kv_heads);
    /* the overhead is the runtime's whole share: it holds logits and scratch first */
    const uint64_t each = qz_max_size(q->overhead, out->logits + out->scratch);
    out->per_device = (out->weights.bytes + n - 1) / n + (out->kv.bytes + heads - 1) / heads + each;
    out->total_buffers = out->per_device * n;
    out->buffers = out->total_buffers - out->total;
    if (out->kv.per_token) out->crossover = out->weights.bytes / out->kv.per_token;
    out->fits = true;
    if (q->capacity == 0) return QZ_OK;
    const double usable = (double)q->capacity * (1 - q->reserve);
    out->usable = usable > 0 ? (uint64_t)usable : 0;
    out->room = (int64_t)out->usable - (int64_t)out->per_device;
    out->fits = out->room >= 0;
    return QZ_OK;
}
