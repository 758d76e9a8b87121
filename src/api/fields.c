#include "api/fields.h"
#include "base/size.h"
#include "quantz.h"
#include <math.h>
#include <string.h>

#define FLAG(field, option, to) \
    { #field, option, QZ_FIELD_FLAG, offsetof(S, field), offsetof(qz_request, to), NULL, 0, 0, 0 }
#define TEXT(field, option, to, text) \
    { #field, option, QZ_FIELD_TEXT, offsetof(S, field), offsetof(qz_request, to), text, 0, 0, 0 }
#define COUNT(field, option, to, value, min, max) \
    { #field, option, QZ_FIELD_COUNT, offsetof(S, field), offsetof(qz_request, to), NULL, value, min, max }
#define REAL(field, option, to, value, min, max) \
    { #field, option, QZ_FIELD_REAL, offsetof(S, field), offsetof(qz_request, to), NULL, value, min, max }
#define END_OF(type, last) (offsetof(type, last) + sizeof((type *)0)->last)

#define S quantz_quantize_options
static const qz_field quantize[] = {
    TEXT(scheme, "to", to, NULL), TEXT(output, "output", output, NULL), TEXT(calibration, "calib", data, NULL),
    TEXT(statistics, "stats", stats, NULL), TEXT(imatrix, "imatrix", imatrix, NULL),
    COUNT(samples, "samples", samples, 128, 1, 1e6), COUNT(seq_len, "seq-len", seq_len, 512, 8, 131072),
    TEXT(search, "search", search, "best"), TEXT(propagate, "propagate", propagate, NULL),
    REAL(damp, "damp", damp, 0, 1e-4, 1),
    TEXT(accept, "accept", accept, NULL), TEXT(engine, "engine", engine, NULL),
    COUNT(tensor_parallel, "tp", tp, 0, 1, 64),
    TEXT(compute_capability, "cc", cc, NULL), TEXT(name, "name", name, NULL), TEXT(pre, "pre", pre, NULL),
    FLAG(force, "force", force), FLAG(resume, "resume", resume), FLAG(strict, "strict", strict),
};
#undef S
#define S quantz_run_options
static const qz_field run[] = {
    TEXT(system, "system", system, NULL), COUNT(max_new, "max-new", max_new, 256, 1, 131072),
    COUNT(ctx, "ctx", ctx, 4096, 8, 1048576),
    REAL(temperature, "temperature", temperature, 0, 0, 10), COUNT(top_k, "top-k", top_k, 0, 0, 1e6),
    REAL(top_p, "top-p", top_p, 1, 0.01, 1),
    REAL(min_p, "min-p", min_p, 0, 0, 1),
    REAL(repetition_penalty, "repetition-penalty", repetition_penalty, 1, 0.1, 10),
    COUNT(seed, "seed", seed, 1, 0, 9e15), TEXT(arith, "arith", arith, "runtime"), FLAG(raw, "raw", raw),
    FLAG(show_special, "show-special", show_special),
};
#undef S
#define S quantz_evaluate_options
static const qz_field evaluate[] = {
    TEXT(text, "text", text, NULL), TEXT(tasks, "tasks", tasks, NULL), TEXT(against, "against", against, NULL),
    TEXT(protocol, "protocol", protocol, NULL), COUNT(windows, "windows", windows, (double)QZ_COUNT_AUTO, 0, 1e9),
    COUNT(window, "window", window, 512, 8, 131072),
    COUNT(stride, "stride", stride, 256, 1, 131072), TEXT(arith, "arith", arith, "both"),
    COUNT(max_tasks, "max-tasks", max_tasks, 0, 0, 1e9),
    COUNT(batch, "batch", batch, 96, 1, 4096), COUNT(max_new, "max-new", max_new, 96, 1, 131072),
};
#undef S
const qz_fields qz_fields_quantize = {"quantize", quantize, sizeof quantize / sizeof quantize[0],
                                      sizeof(quantz_quantize_options),
                                      END_OF(quantz_quantize_options, reserved)};
const qz_fields qz_fields_run = {"run", run, sizeof run / sizeof run[0], sizeof(quantz_run_options),
                                 END_OF(quantz_run_options, show_special)};
const qz_fields qz_fields_evaluate = {"evaluate", evaluate, sizeof evaluate / sizeof evaluate[0],
                                      sizeof(quantz_evaluate_options),
                                      END_OF(quantz_evaluate_options, max_new)};

void qz_fields_defaults(const qz_fields *f, void *o, size_t size) {
    if (o == NULL || size < sizeof size) return;
    memset(o, 0, size);
    memcpy(o, &size, sizeof size);
    for (size_t i = 0; i < f->n; i++) {
        const qz_field *x = &f->rows[i];
        char *at = (char *)o + x->from;
        const uint64_t count = x->kind == QZ_FIELD_COUNT ? (uint64_t)x->number : 0;
        if (x->from > size || size - x->from < 8) continue; /* texts and numbers are 8 bytes; flags are 0 already */
        if (x->kind == QZ_FIELD_TEXT) memcpy(at, &x->text, sizeof x->text);
        else if (x->kind == QZ_FIELD_COUNT) memcpy(at, &count, sizeof count);
        else if (x->kind == QZ_FIELD_REAL) memcpy(at, &x->number, sizeof x->number);
    }
}
_Static_assert(sizeof(const char *) == 8 && sizeof(double) == 8, "fields of options are 8 bytes, flags 4");

qz_status qz_fields_take(const qz_fields *f, const void *given, void *own, qz_error *err) {
    size_t size;
    qz_fields_defaults(f, own, f->size);
    if (given == NULL) return QZ_OK;
    memcpy(&size, given, sizeof size);
    if (size < f->first_size || size > 65536)
        return qz_fail(err, QZ_EUSAGE,
                       "options of quantz_%s have no valid size: expected at least %zu, found %zu; set them up with "
                       "quantz_%s_defaults",
                       f->name, f->first_size, size, f->name);
    for (size_t i = f->size; i < size; i++)
        if (((const char *)given)[i])
            return qz_fail(err, QZ_EUSAGE,
                           "options of quantz_%s set a field at byte %zu that this libquantz does not know; it is "
                           "older than the program's header",
                           f->name, i);
    memcpy(own, given, qz_min_size(size, f->size));
    return QZ_OK;
}

static qz_status check(const qz_fields *f, const qz_field *x, double v, qz_error *err) {
    if (v == x->number || (v >= x->min && v <= x->max)) return QZ_OK; /* not a number fails both */
    return qz_fail(err, QZ_EUSAGE, "bad value %.15g of '%s' for quantz_%s: expected %.15g to %.15g", v, x->name,
                   f->name, x->min, x->max);
}

qz_status qz_fields_request(const qz_fields *f, const void *own, qz_request *r, qz_error *err) {
    for (size_t i = 0; i < f->n; i++) {
        const qz_field *x = &f->rows[i];
        const void *from = (const char *)own + x->from;
        void *to = (char *)r + x->to;
        if (x->kind == QZ_FIELD_FLAG) *(bool *)to = *(const int32_t *)from != 0;
        else if (x->kind == QZ_FIELD_TEXT) {
            const char *text = *(const char *const *)from;
            *(const char **)to = text ? text : x->text;
        } else if (x->kind == QZ_FIELD_COUNT) {
            QZ_TRY(check(f, x, (double)*(const uint64_t *)from, err));
            *(uint64_t *)to = *(const uint64_t *)from;
        } else {
            QZ_TRY(check(f, x, *(const double *)from, err));
            *(double *)to = *(const double *)from;
        }
    }
    return QZ_OK;
}
