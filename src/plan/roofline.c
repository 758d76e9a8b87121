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
    if (l == QZ_LEVEL_CT_INT8) return h->capability >= 75 ? "INT8 CUTLASS" : "none";
    if (l == QZ_LEVEL_CT_NVFP4 || l == QZ_LEVEL_CT_MXFP4)
        return h->capability >= 100 ? "FP4 FlashInfer" : h->capability >= 75 ? "FP4 A16 Marlin" : "none";
    if (strncmp(i->name, "bnb:", 4) == 0) return "bitsandbytes";
    return h->capability == 90 ? "W4A16 Machete" : h->capability >= 75 ? "W4A16 Marlin" : "W4A16 Exllama";
}

/* Bits of the products: weight-only formats compute in 16 bits, llama.cpp's kernels for cards in int8; those of 8 and
 * 4 bits need hardware that has them. FP4 is twice FP8 (NVIDIA's and AMD's data sheets). */
static void rate_of(qz_level l, const qz_hardware *h, qz_roofline *out) {
    const qz_level_info *i = qz_level_get(l);
    const bool int8 = l == QZ_LEVEL_CT_INT8 || (i->kind == QZ_LEVEL_GGUF && i->nominal < 16),
               fp4 = l == QZ_LEVEL_CT_NVFP4 || l == QZ_LEVEL_CT_MXFP4;
    out->arithmetic = 16;
    out->tflops = h->tflops;
    if (fp4 && qz_hardware_native(h, "fp4")) out->arithmetic = 4, out->tflops = 2 * h->tflops8;
    else if ((int8 && qz_hardware_native(h, "int8")) || (strstr(i->name, "fp8") && qz_hardware_native(h, "fp8")))
        out->arithmetic = 8, out->tflops = h->tflops8;
    if (h->tflops <= 0) out->tflops = 0;
}

/* Bytes of weights that a step reads: a batch touches more experts than one token does, all of them at most. */
static double weights_read(const qz_shape *s, const qz_weighed *w, uint64_t users) {
    const double all = (double)w->read_bytes;
    if (s->experts == 0) return all;
    const double used = (double)s->experts_used / (double)s->experts;
    return all + (double)w->expert_bytes * (1 - pow(1 - used, (double)users) - used);
}

/* Users from which on computing takes longer than reading; more users compute more, and of experts read more. */
static uint64_t bound_from(const qz_shape *s, const qz_weighed *w, double bytes_s, double token_s) {
    const uint64_t most = 1u << 20;
    uint64_t lo = 0, hi = 1;
    while (hi <= most && (double)hi * token_s <= weights_read(s, w, hi) * bytes_s) lo = hi, hi *= 2;
    if (hi > most) return 0;
    while (hi - lo > 1) {
        const uint64_t mid = lo + (hi - lo) / 2;
        if ((double)mid * token_s <= weights_read(s, w, mid) * bytes_s) lo = mid;
        else hi = mid;
    }
    return hi;
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
    const double n = q->devices > 1 ? (double)q->devices : 1, weights = weights_read(q->shape, &w, q->users);
    const double byte_s = qz_roofline_seconds(1, h->bandwidth_gbps, 0) / n;
    rate_of(q->level, h, out);
    /* a product and a sum for each weight that a token meets */
    const double token_s = out->tflops > 0 ? 2 * (double)q->shape->active_params / (out->tflops * 1e12) / n : 0;
    out->weight_gb = weights / 1e9;
    out->kv_gb = (double)kv.bytes / 1e9;
    out->weights_s = weights * byte_s;
    out->operations_s = (double)q->users * token_s;
    out->kv_s = (double)kv.bytes * byte_s;
    out->step_s = fmax(out->weights_s, out->operations_s) + out->kv_s + overhead_s;
    out->tokens_s_user = 1 / out->step_s;
    out->tokens_s_all = (double)q->users / out->step_s;
    out->bound = overhead_s > out->step_s / 2             ? "overhead"
                 : out->operations_s > out->weights_s ? "operations"
                                                      : "memory";
    if (token_s > 0) out->bound_from = bound_from(q->shape, &w, byte_s, token_s);
    return QZ_OK;
}
