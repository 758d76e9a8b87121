/* The table of number formats: everything here expands from types.def. */
#include <strings.h>
#include "base/size.h"
#include "codecs/codecs_int.h"
#include "codecs/types.h"

static const qz_type_info types[QZ_TYPE_COUNT] = {
#define qz_no_encode ((qz_encode_fn)NULL)
#define QZ_TYPE(id, name, elems, bytes, ggml, kind, imp, needs, enc, dec, compat) \
    [QZ_TYPE_##id] = {name, elems, bytes, ggml, kind, imp, needs, enc, dec, compat},
#include "codecs/types.def"
#undef QZ_TYPE
};

const qz_type_info *qz_type_get(qz_type t) {
    return (unsigned)t < QZ_TYPE_COUNT ? &types[t] : NULL;
}

qz_type qz_type_by_name(const char *name) {
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        if (strcasecmp(types[t].name, name) == 0) return (qz_type)t;
    return QZ_TYPE_NONE;
}

qz_type qz_type_by_ggml_id(int id) {
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        if (types[t].ggml_id >= 0 && types[t].ggml_id == id) return (qz_type)t;
    return QZ_TYPE_NONE;
}

qz_status qz_row_bytes(qz_type t, size_t cols, size_t *out, qz_error *err) {
    const qz_type_info *i = qz_type_get(t);
    if (!i) return qz_fail(err, QZ_EBUG, "type number %d has no fixed block", (int)t);
    if (cols % i->elems != 0)
        return qz_fail(err, QZ_EFORMAT, "row of %zu elements is not a multiple of the %s block (%u)", cols, i->name,
                       i->elems);
    if (!qz_mul_size(cols / i->elems, i->bytes, out))
        return qz_fail(err, QZ_EFORMAT, "row of %zu elements of %s overflows size_t", cols, i->name);
    return QZ_OK;
}

qz_status qz_tensor_bytes(qz_type t, size_t rows, size_t cols, size_t *out, qz_error *err) {
    size_t row = 0;
    QZ_TRY(qz_row_bytes(t, cols, &row, err));
    if (!qz_mul_size(rows, row, out))
        return qz_fail(err, QZ_EFORMAT, "tensor [%zu, %zu] of %s overflows size_t", rows, cols, types[t].name);
    return QZ_OK;
}

double qz_type_bpw(qz_type t) {
    const qz_type_info *i = qz_type_get(t);
    return i ? 8.0 * (double)i->bytes / (double)i->elems : 0.0;
}
