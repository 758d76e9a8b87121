/* Which tensors an artifact's divergence comes from: the source with one tensor of the artifact in the place of its
 * own, measured for every linear (its experts together), the embedding and the output matrix, against the source alone.
 * Whether shares add up is measured too: on random halves the sum of the shares against the KL of the half.
 *   qz_blame_run(run, r, &b, err); qz_blame_release(&b);
 * Errors: those of opening and evaluating; QZ_EUSAGE without --against and --text. */
#ifndef QZ_PIPELINE_BLAME_H
#define QZ_PIPELINE_BLAME_H
#include "base/arena.h"
#include "produce/request.h"

typedef struct {
    const char *name;
    uint64_t weights;
    double bits;           /* of a weight, scales included */
    double kl;             /* nats per token with this unit alone from the artifact */
    double buys; /* KL that one more bit there is expected to take away: three quarters (error² falls to 1/4) */
} qz_blamed;
enum { QZ_BLAME_HALVES = 6 };
typedef struct {
    qz_arena arena;
    qz_blamed *unit; size_t n; /* largest share first */
    double kl, sum, whole; /* with all units from the artifact; of all shares; of the artifact as it is */
    double half_kl[QZ_BLAME_HALVES], half_sum[QZ_BLAME_HALVES], r2;
    size_t windows, scored, left; /* left: differing tensors outside all units (norms, biases) */
} qz_blame;
qz_status qz_blame_run(qz_run *run, const qz_request *r, qz_blame *out, qz_error *err);
void qz_blame_release(qz_blame *b);
#endif
