#include "plan/split.h"
#include "base/size.h"
#include <math.h>

uint64_t qz_split_even(double usable, double reserve, double artifact, uint64_t layers) {
    double n = layers && artifact > 0 ? floor((usable - reserve) / (artifact / (double)layers)) : 0;
    return n <= 0 ? 0 : n >= (double)layers ? layers : (uint64_t)n;
}

/* llama.cpp with n_gpu_layers = N: the last N blocks, then the output layer when N exceeds the number of blocks. */
static qz_status fill(const qz_shape *s, const uint64_t *bytes, qz_kv_types kv, uint64_t ctx, uint64_t total,
                      qz_layer_split *out, qz_error *err) {
    uint64_t used = 0, kv_all = 0, kv_used = 0;
    bool full = false;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (s->tensors[i].layer < 0 && s->tensors[i].role != QZ_ROLE_EMBED) out->output_bytes += bytes[i];
    if (s->tied)
        for (size_t i = 0; i < s->n_tensors; i++)
            /* the runtime copies it to the GPU as the output */
            if (s->tensors[i].role == QZ_ROLE_EMBED) out->output_bytes += bytes[i];
    size_t end = s->n_tensors;
    for (uint64_t k = 0; k < s->layers; k++) {
        long layer = (long)(s->layers - 1 - k);
        uint64_t need = 0, cache = 0;
        while (end > 0 && s->tensors[end - 1].layer < 0) end--;
        while (end > 0 && s->tensors[end - 1].layer == layer) need += bytes[--end];
        if (ctx) QZ_TRY(qz_kv_layer(s, kv, (uint64_t)layer, ctx, &cache, err));
        kv_all += cache;
        if (full) continue;
        if (used + need + cache > out->budget) {
            out->next_bytes = used + need + cache;
            full = true;
            continue;
        }
        used += need + cache;
        kv_used += cache;
        out->layers++;
    }
    if (!full && used + out->output_bytes <= out->budget) {
        out->output_on_gpu = true;
        used += out->output_bytes;
    } else if (!full) out->next_bytes = used + out->output_bytes;
    out->gpu_bytes = used;
    out->system_bytes = total + kv_all - used;
    out->system_kv = kv_all - kv_used;
    if (s->tied && out->output_on_gpu) out->system_bytes += out->output_bytes; /* the table itself stays */
    return QZ_OK;
}

qz_status qz_split_plan(const qz_split_query *q, qz_layer_split *out, qz_error *err) {
    const qz_shape *s = q->shape;
    const uint64_t usable = q->usable, reserve = q->reserve;
    *out = (qz_layer_split){.budget = usable > reserve ? usable - reserve : 0};
    uint64_t *bytes = qz_calloc_array(s->n_tensors, sizeof *bytes);
    qz_weighed w;
    if (bytes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    qz_status st = qz_level_weigh(s, q->level, false, bytes, &w, err);
    if (st == QZ_OK) {
        out->even = qz_split_even((double)usable, (double)reserve, (double)w.bytes, s->layers);
        st = fill(s, bytes, q->kv, q->ctx, w.bytes, out, err);
    }
    qz_free(bytes);
    return st;
}
