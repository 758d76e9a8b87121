#include "remote/top_kl.h"
#include <math.h>

qz_top_kl qz_top_kl_of(const float *logits, double lse, const qz_served_token *q, size_t n, uint32_t argmax) {
    qz_top_kl out = {0};
    double p_sum = 0, q_sum = 0, best = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double lp = (double)logits[q[i].id] - lse, p = exp(lp);
        p_sum += p;
        q_sum += exp(q[i].logprob);
        out.kl += p * (lp - q[i].logprob);
        if (q[i].logprob > best) best = q[i].logprob, out.same_top = q[i].id == argmax;
    }
    out.outside = fmax(0, 1 - p_sum);
    /* log-probabilities come rounded: a cell that seems empty is given what rounding may hide, which only lowers */
    if (out.outside > 0) out.kl += out.outside * log(out.outside / fmax(1 - q_sum, 1e-7));
    out.kl = fmax(0, out.kl);
    return out;
}
