/* KL(p || q) where of q only the likeliest tokens are known: a bound from below. What is not known is one cell, since
 * merging outcomes never raises a divergence; nothing bounds it from above. */
#ifndef QZ_REMOTE_TOP_KL_H
#define QZ_REMOTE_TOP_KL_H
#include "remote/openai.h"

typedef struct { double kl, outside; bool same_top; } qz_top_kl; /* outside: p's share of the one cell */
/* log p(id) = logits[id] - lse; q: distinct ids below n_logits, n of them. */
qz_top_kl qz_top_kl_of(const float *logits, double lse, const qz_served_token *q, size_t n, uint32_t argmax);
#endif
