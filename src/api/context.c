#include "api/context.h"
#include "base/size.h"
#include "produce/catalog.h"
#include <string.h>

#define SAME(name) _Static_assert((int)QUANTZ_##name == (int)QZ_##name, "status codes of quantz.h and base/status.h")
SAME(OK);
SAME(EUSAGE);
SAME(EIO);
SAME(EFORMAT);
SAME(EUNSUPPORTED);
SAME(EMEMORY);
SAME(ENUMERIC);
SAME(EBUG);
SAME(ECHECK);
SAME(ENONFINITE);

const char *quantz_version(void) { return qz_catalog_version(); }
const char *quantz_status_name(quantz_status status) { return qz_status_name((qz_status)status); }
void quantz_free(void *text) { qz_free(text); }

qz_status qz_api_begin(quantz_context *c) {
    if (c == NULL) return QZ_EUSAGE;
    c->err = (qz_error){0};
    return c->ready ? QZ_OK : qz_fail(&c->err, QZ_EUSAGE, "the context was not opened: quantz_open failed");
}
quantz_status qz_api_end(quantz_context *c, qz_status st) {
    if (c && st == QZ_OK) c->err = (qz_error){0};
    else if (c) (void)qz_fail(&c->err, st, "failed without a reason (%s)", qz_status_name(st));
    return (quantz_status)st;
}
qz_status qz_api_need(const char *text, const char *what, qz_error *err) {
    return text && *text ? QZ_OK : qz_fail(err, QZ_EUSAGE, "%s is missing", what);
}
qz_status qz_api_give(void *result, const void *own, size_t size, const char *name, qz_error *err) {
    size_t room;
    if (result == NULL) return QZ_OK;
    memcpy(&room, result, sizeof room);
    if (room < sizeof room || room > 65536)
        return qz_fail(err, QZ_EUSAGE, "%s has no valid size: set size = sizeof result before the call, found %zu",
                       name, room);
    if (own == NULL) return QZ_OK;
    memset((char *)result + sizeof room, 0, room - sizeof room);
    memcpy((char *)result + sizeof room, (const char *)own + sizeof room, qz_min_size(room, size) - sizeof room);
    return QZ_OK;
}

static void on_line(void *arg, bool warning, const char *text) {
    const quantz_context *c = arg;
    if (c->options.log) c->options.log(c->options.user, warning, text);
}
static void on_progress(void *arg, const char *stage, uint64_t done, uint64_t total, const char *unit) {
    const quantz_context *c = arg;
    if (c->options.progress) c->options.progress(c->options.user, stage, done, total, unit);
}

static const qz_fields context_fields = {"open", NULL, 0, sizeof(quantz_options),
                                         offsetof(quantz_options, user) + sizeof(void *)};

void quantz_defaults(quantz_options *o, size_t size) { qz_fields_defaults(&context_fields, o, size); }

quantz_status quantz_open(const quantz_options *options, quantz_context **out) {
    if (out == NULL) return QUANTZ_EUSAGE;
    quantz_context *c = *out = qz_calloc_array(1, sizeof *c);
    if (c == NULL) return QUANTZ_EMEMORY;
    qz_status st = qz_fields_take(&context_fields, options, &c->options, &c->err);
    if (st == QZ_OK)
        st = qz_run_init(&c->run,
                         c->options.threads > 1024 ? (size_t)c->options.threads
                                                   : qz_min_size((size_t)c->options.threads, qz_cpus()),
                         &c->err);
    c->run.log = NULL;
    c->run.tty = false;
    c->hook = (qz_run_hook){.line = on_line, .progress = on_progress, .arg = c};
    c->run.hook = &c->hook;
    if (st == QZ_OK) st = qz_catalog_set_cpu(&c->run, c->options.cpu, &c->err);
    c->options.cpu = NULL; /* borrowed for this call only */
    c->ready = st == QZ_OK;
    return qz_api_end(c, st);
}
void quantz_close(quantz_context *c) {
    if (c == NULL) return;
    qz_run_release(&c->run);
    qz_free(c);
}
const char *quantz_error(const quantz_context *c) {
    return c ? c->err.text : "no context: out of memory, or quantz_open was not called";
}

quantz_status quantz_model_open(quantz_context *c, const char *path, quantz_model **out) {
    qz_status st = qz_api_begin(c);
    if (out) *out = NULL;
    if (st == QZ_OK)
        st = out ? qz_api_need(path, "the model's path", &c->err)
                 : qz_fail(&c->err, QZ_EUSAGE, "no place for the model is given");
    if (st != QZ_OK) return qz_api_end(c, st);
    quantz_model *m = qz_calloc_array(1, sizeof *m);
    c->run.n_said = 0; /* a caller hears of every model that it opens */
    st = m ? qz_source_open(&c->run, path, &m->source, &c->err) : qz_fail(&c->err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) {
        m->context = c;
        m->answerer.source = &m->source;
        *out = m;
    } else qz_free(m);
    return qz_api_end(c, st);
}
void quantz_model_close(quantz_model *m) {
    if (m == NULL) return;
    qz_answerer_release(&m->answerer);
    qz_source_release(&m->source);
    qz_free(m);
}

quantz_status quantz_inspect(quantz_model *m, char **json) {
    quantz_context *c = m ? m->context : NULL;
    qz_str s = {0};
    qz_status st = qz_api_begin(c);
    if (json) *json = NULL;
    if (st == QZ_OK && json == NULL) st = qz_fail(&c->err, QZ_EUSAGE, "no place for the text is given");
    if (st == QZ_OK) {
        qz_inspect_json(&m->source, &s);
        if (s.failed) st = qz_fail(&c->err, QZ_EMEMORY, "out of memory");
    }
    if (st == QZ_OK) *json = s.ptr;
    else qz_str_release(&s);
    return qz_api_end(c, st);
}
