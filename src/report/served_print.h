/* eval --runtime: what a server (or llama-perplexity) gives for an artifact, beside our own figures of it. */
#ifndef QZ_REPORT_SERVED_PRINT_H
#define QZ_REPORT_SERVED_PRINT_H
#include "base/json_write.h"
#include "base/status.h"
#include "eval/result.h"

typedef struct { size_t width, requests, failed, tokens; double ttft_p50, ttft_p95, p50, p95,
                 tokens_s; } qz_served_speed;
enum { QZ_SERVED_LEVELS = 16 };
typedef struct {
    char artifact[512], runtime[512], model[160], engine[64], version[96];
    const char *how;             /* what the server shows; NULL: a program */
    size_t probes;               /* texts whose tokens are the artifact's; 0: it tells no tokens */
    char set[160], token_hash[65]; /* of the text; "": none */
    size_t windows, positions, top;
    double kl, kl_low, kl_high, outside, top1; /* KL(ours || served) at least; share of our probability not told */
    bool against;                /* the same of the source, and the exact KL(source || ours) */
    double kl_source, kl_ours;
    size_t not_told;             /* tokens that its echo leaves out */
    bool late;                   /* its echo stands one place late: read so */
    bool has_nll;                /* nats a token of the text, where the server tells them */
    double nll_ours, nll_served;
    size_t tasks, left_out, solved_ours, solved, lost, won, same;
    double low, high, mcnemar;
    qz_served_speed speed[QZ_SERVED_LEVELS]; size_t n_speed;
    /* llama-perplexity */
    bool has_ppl;
    double ppl_served, ppl_se, ppl_ours, ppl_runtime;
    bool verified;
    char verified_with[400];
    bool stored;
    size_t resumed;              /* windows and answers that stood in the journal */
} qz_served;
void qz_served_print(const qz_served *s, qz_str *out);
qz_status qz_served_json(const qz_served *s, qz_str *out, qz_error *err);
#endif
