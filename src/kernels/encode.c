/* Choice of the encoder and its split over threads (encode.h). */
#include "kernels/encode.h"
#include "base/size.h"
#include "codecs/types.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

static qz_ops table(qz_cpu_level level) {
    qz_ops ops;
    qz_cpu_level have = qz_cpu_detect();
    (void)qz_ops_for(level < have ? level : have, &ops);
    return ops;
}
qz_encode_fn qz_encoder(qz_cpu_level level, qz_type t) { return table(level).encode[t]; }
qz_encode_fn qz_compat_encoder(qz_cpu_level level, qz_type t) {
    const qz_ops ops = table(level);
    return ops.compat[t] ? ops.compat[t] : ops.encode[t];
}
qz_refiner qz_refiner_at(qz_cpu_level level) {
    const qz_ops ops = table(level);
    return (qz_refiner){ops.round_sub, ops.refine_sym};
}
qz_decoder_fn qz_decoder(qz_cpu_level level, qz_type t) { return table(level).decode[t]; }

typedef struct {
    qz_encode_fn encode;
    const qz_float_rows *in;
    size_t row_bytes, chunk;
    uint8_t *out;
} encoding;

static void run_rows(void *arg, qz_part part) {
    const encoding *j = arg;
    const qz_float_rows *in = j->in;
    for (size_t r = part.i * j->chunk; r < qz_min_size(in->rows, (part.i + 1) * j->chunk); ++r)
        j->encode(in->x + r * in->cols, in->importance, in->cols, j->out + r * j->row_bytes);
}

qz_status qz_encode_rows(qz_run *run, qz_type t, const qz_float_rows *in, void *out, qz_error *err) {
    encoding j = {.in = in, .out = out};
    QZ_TRY(qz_row_bytes(t, in->cols, &j.row_bytes, err));
    if (in->cols == 0) return QZ_OK;
    j.encode = qz_encoder(run ? run->cpu : QZ_CPU_AVX512, t);
    j.chunk = qz_max_size(1, 16384 / in->cols);
    qz_pool_run(run ? run->pool : NULL, qz_max_size(1, (in->rows + j.chunk - 1) / j.chunk), run_rows, &j);
    return QZ_OK;
}
