/* What stands behind the opaque types of quantz.h, shared by the files of api/. Every public call is
 *     qz_status st = qz_api_begin(c); if (st == QZ_OK) st = …(…, &c->err); return qz_api_end(c, st);
 * begin clears the last error; end makes sure that a failure has a line and a success has none. */
#ifndef QZ_API_CONTEXT_H
#define QZ_API_CONTEXT_H
#include "api/fields.h"
#include "pipeline/results.h"
#include "quantz.h"

struct quantz_context {
    qz_run run;
    qz_run_hook hook;
    quantz_options options;
    qz_error err;
    bool ready;         /* quantz_open succeeded */
};
struct quantz_model {
    quantz_context *context;
    qz_source source;
    qz_answerer answerer;
};

qz_status qz_api_begin(quantz_context *c);
quantz_status qz_api_end(quantz_context *c, qz_status st);
/* QZ_EUSAGE if a required text is missing. */
qz_status qz_api_need(const char *text, const char *what, qz_error *err);
/* Copies own [size] to the caller's result as far as it reaches; NULL result: nothing. */
qz_status qz_api_give(void *result, const void *own, size_t size, const char *name, qz_error *err);
#endif
