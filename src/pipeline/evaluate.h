/* Evaluates a source and artifacts on one text and one task file: everybody sees the same tokens. */
#ifndef QZ_PIPELINE_EVALUATE_H
#define QZ_PIPELINE_EVALUATE_H
#include "produce/request.h"
#include "artifacts/source.h"
#include "eval/windows.h"
#include "report/measured.h"

void qz_measured_release(qz_measured *m);

/* out[0] is the source when given, then the artifacts in order; *n entries. Uses r->text, r->tasks, protocol and batch
 * fields, r->arith (both by default). Models that would read r->text as other tokens than the first one
 * are QZ_EUSAGE. */
typedef struct { const char *source; const char *const *artifacts; size_t n; } qz_compared; /* source NULL: none */
qz_status qz_evaluate(qz_run *run, const qz_request *r, const qz_compared *which, qz_measured *out, size_t *n,
                      qz_eval_facts *facts, qz_error *err);
/* Protocol and windows as they were asked for; BOS of the model that reads the text. */
qz_eval_options qz_eval_asked(const qz_request *r, const qz_source *s);
/* What the artifact at `path` names as the weights it was made from: those of `source` (at `of`), or others, of which
 * it warns; neither: it names none. */
typedef struct { bool same; char other[65]; } qz_named_source;
qz_status qz_other_origin(qz_run *run, const char *path, qz_source *source, const char *of, qz_named_source *out,
                          qz_error *err);
double qz_bits_per_weight(const qz_model *m); /* stored bits over the weights of its configuration */
qz_status qz_arith_parse(const char *text, qz_arith *out, qz_error *err);
#endif
