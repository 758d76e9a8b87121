#include "plan/roofline.h"
#include <math.h>
#include <string.h>

double qz_roofline_seconds(double bytes, double gbps, double overhead_s) { return bytes / (gbps * 1e9) + overhead_s; }
double qz_roofline_speedup(double big, double small, double gbps, double overhead_s) {
    return qz_roofline_seconds(big, gbps, overhead_s) / qz_roofline_seconds(small, gbps, overhead_s);
}
double qz_effective_gbps(double bytes, double tokens_per_s) { return bytes * tokens_per_s / 1e9; }

/* The kernel family a runtime has for this pair; formats/engines.md section 3 (vLLM 0.33, llama.cpp 0c1e57098). */
static const char *kernel_of(qz_level l, const qz_hardware *h) {
    const qz_level_info *i = qz_level_get(l);
    bool cuda = h->capability > 0;
    if (i->kind == QZ_LEVEL_GGUF)
        return cuda ? "llama.cpp CUDA" : strcmp(h->kind, "mac") == 0 ? "llama.cpp Metal" : "llama.cpp CPU";
    if (i->kind == QZ_LEVEL_FLOAT) return cuda ? "cuBLAS 16-bit" : "16-bit product";
    if (!cuda) return "unknown";
    if (i->bits == 8 && strstr(i->name, "fp8")) return h->capability >= 89 ? "FP8 CUTLASS" : "FP8 A16 Marlin";
    if (l == QZ_LEVEL_INT8) return h->capability >= 75 ? "INT8 CUTLASS" : "none";
    if (l == QZ_LEVEL_NVFP4 || l == QZ_LEVEL_MXFP4)
        return h->capability >= 100 ? "FP4 FlashInfer" : h->capability >= 75 ? "FP4 A16 Marlin" : "none";
    if (strncmp(i->name, "bnb:", 4) == 0) return "bitsandbytes";
    return h->capability == 90 ? "W4A16 Machete" : h->capability >= 75 ? "W4A16 Marlin" : "W4A16 Exllama";
}

qz_status qz_roofline_decode(const qz_memory_query *q, const qz_hardware *h, double overhead_s, qz_roofline *out,
                             qz_error *err) {
    *out = (qz_roofline){.kernel = kernel_of(q->level, h)};
    qz_weighed w;
    qz_kv_plan_result kv;
    if (h->bandwidth_gbps <= 0)
        return qz_fail(err, QZ_EUSAGE, "no memory bandwidth for hardware '%s': add it to its row with --hardware-file",
                       h->name);
    QZ_TRY(qz_level_weigh(q->shape, q->level, q->imatrix, NULL, &w, err));
    QZ_TRY(qz_kv_plan(q->shape, q->kv, q->users, q->ctx, &kv, err));
    double n = q->devices > 1 ? (double)q->devices : 1, weights = (double)w.read_bytes;
    if (q->shape->experts) { /* a batch touches more experts than one token does, all of them at most */
        double used = (double)q->shape->experts_used / (double)q->shape->experts;
        weights += (double)w.expert_bytes * (1 - pow(1 - used, (double)q->users) - used);
    }
    double bytes = (weights + (double)kv.bytes) / n;
    out->weight_gb = weights / 1e9;
    out->kv_gb = (double)kv.bytes / 1e9;
    out->step_s = qz_roofline_seconds(bytes, h->bandwidth_gbps, overhead_s);
    out->tokens_s_user = 1 / out->step_s;
    out->tokens_s_all = (double)q->users / out->step_s;
    out->bound = overhead_s > out->step_s / 2 ? "overhead" : "memory bandwidth";
    return QZ_OK;
}
