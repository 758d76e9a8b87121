/* Options of the public interface as rows: name, kind, default, range, place in the public struct and in qz_request.
 * Rows fill defaults, check ranges and make the request. api_test compares every row with the option row of the program
 * (cli/).
 *   quantz_run_options o; QZ_TRY(qz_fields_take(&qz_fields_run, given, &o, err));
 *   QZ_TRY(qz_fields_request(&qz_fields_run, &o, &r, err));
 * Ownership: texts are borrowed from the caller's struct. Errors: QZ_EUSAGE naming the field. */
#ifndef QZ_API_FIELDS_H
#define QZ_API_FIELDS_H
#include "produce/request.h"

/* int32_t, const char *, uint64_t, double */
typedef enum { QZ_FIELD_FLAG, QZ_FIELD_TEXT, QZ_FIELD_COUNT, QZ_FIELD_REAL } qz_field_kind;
typedef struct {
    const char *name, *option;  /* of the public field; of the program's option */
    qz_field_kind kind;
    size_t from, to;            /* offsets in the public struct, in qz_request */
    const char *text;           /* default of a text, NULL: none */
    double number, min, max;    /* default and range of counts and reals; the default needs
                                 * not lie in the range ("not given") */
} qz_field;
typedef struct {
    const char *name;           /* "quantize": quantz_quantize_options, quantz_quantize_defaults */
    const qz_field *rows; size_t n;
    size_t size, first_size;    /* of the struct now, and in version 1 of the interface */
} qz_fields;
extern const qz_fields qz_fields_quantize, qz_fields_run, qz_fields_evaluate;

/* The first `size` bytes of the caller's struct, which may be older or newer than ours. */
void qz_fields_defaults(const qz_fields *f, void *o, size_t size);
/* own [f->size]: what the caller gave (NULL: nothing) over the defaults. Fields that this version does not
 * know must be zero. */
qz_status qz_fields_take(const qz_fields *f, const void *given, void *own, qz_error *err);
/* The part of r that the rows fill; the rest is left as it is. */
qz_status qz_fields_request(const qz_fields *f, const void *own, qz_request *r, qz_error *err);
#endif
