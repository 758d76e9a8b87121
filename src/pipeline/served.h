/* eval --runtime: an artifact as another program serves it, held against our own run of it. Two sources of figures:
 *   openai:URL              a server of the OpenAI protocol: KL bounded from below, tasks, speed (served_text.c,
 *                           served_tasks.c, served_speed.c)
 *   llama-perplexity:PATH   llama.cpp's program on the artifact's GGUF file (served_program.c)
 * QZ_EUSAGE: the server cuts text into other tokens; QZ_ECHECK: what it computes is not this artifact. */
#ifndef QZ_PIPELINE_SERVED_H
#define QZ_PIPELINE_SERVED_H
#include "base/journal.h"
#include "engine/engine.h"
#include "pipeline/evaluate.h"
#include "remote/openai.h"
#include "report/served_print.h"
#include "text/tasks.h"

typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_source model, source;      /* source.model NULL: no --against */
    qz_engine *engine, *source_engine;
    qz_openai at;
    qz_journal journal;           /* fd -1: none */
    int late;                     /* of an echo (served_text.c); -1: not known yet */
    qz_served out;
} qz_serving;

/* A line of the journal that begins with "KIND I "; what follows. NULL: it is not finished yet. */
const char *qz_serving_done(const qz_serving *s, char kind, size_t i);
qz_status qz_serving_text(qz_serving *s, qz_error *err);
qz_status qz_serving_tasks(qz_serving *s, qz_error *err);
qz_status qz_serving_speed(qz_serving *s, qz_error *err);
qz_status qz_serving_program(qz_serving *s, const char *program, qz_error *err);
qz_status qz_run_served(qz_run *run, const qz_request *r, qz_error *err);
#endif
