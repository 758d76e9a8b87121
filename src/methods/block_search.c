#include "methods/block_search.h"
#include "base/size.h"
#include "codecs/types.h"
#include "kernels/encode.h"
#include <math.h>
#include <string.h>

qz_status qz_search_parse(const char *text, qz_search *out, qz_error *err) {
    *out = QZ_SEARCH_BEST;
    if (text == NULL || strcmp(text, "best") == 0) return QZ_OK;
    *out = QZ_SEARCH_COMPAT;
    if (strcmp(text, "compat") == 0) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --search: expected best or compat", text);
}

qz_decoder_fn qz_block_decoder(const qz_run *run, qz_type type) { return qz_decoder(run->cpu, type); }

typedef struct {
    const qz_type_info *info;
    qz_encode_fn encode; /* the fastest of this CPU level: same bytes as info->encode */
    qz_refiner refiner;
    qz_decoder_fn decode;
    qz_type type;
    const float *w, *importance;
    size_t rows, cols, row_bytes;
    qz_search search;
    uint8_t *out;
    double *error, *mse; /* [rows] */
    float *scratch;      /* [threads, cols] */
} encode_job;

static void encode_worker(void *arg, qz_part part) {
    const encode_job *j = arg;
    size_t lo, hi;
    float *y = j->scratch + part.thread * j->cols;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        const float *x = j->w + r * j->cols;
        uint8_t *row = j->out + r * j->row_bytes;
        j->encode(x, j->importance, j->cols, row);
        if (j->search == QZ_SEARCH_BEST) qz_block_refine_row(&j->refiner, j->type, x, j->importance, j->cols, row);
        j->decode(row, j->cols, y);
        double e = 0, m = 0;
        for (size_t k = 0; k < j->cols; k++) {
            double d = (double)x[k] - (double)y[k];
            m += d * d;
            e += d * d * (j->importance ? (double)j->importance[k] : 1.0);
        }
        j->error[r] = e;
        j->mse[r] = m;
    }
}

qz_status qz_block_quantize(const qz_block_job *b, qz_arena *arena, qz_quantized *out, qz_error *err) {
    encode_job j = {.info = qz_type_get(b->type), .type = b->type, .w = b->w, .importance = b->importance,
                    .rows = b->rows, .cols = b->cols,
                    .search = b->search};
    const qz_type type = b->type;
    const size_t rows = b->rows, cols = b->cols, threads = qz_pool_size(b->run->pool);
    size_t total;
    if (j.info->encode == NULL)
        return qz_fail(err, QZ_EUNSUPPORTED, "type %s can be read but not written", j.info->name);
    j.encode = b->search == QZ_SEARCH_COMPAT ? qz_compat_encoder(b->run->cpu, type) : qz_encoder(b->run->cpu, type);
    j.decode = qz_decoder(b->run->cpu, type);
    j.refiner = qz_refiner_at(b->run->cpu);
    QZ_TRY(qz_row_bytes(type, cols, &j.row_bytes, err));
    QZ_TRY(qz_tensor_bytes(type, rows, cols, &total, err));
    j.out = qz_arena_alloc(arena, total, 1);
    j.error = qz_arena_alloc(arena, rows, 2 * sizeof *j.error);
    j.scratch = qz_arena_alloc(arena, threads, cols * sizeof *j.scratch);
    if (!j.out || !j.error || !j.scratch)
        return qz_fail(err, QZ_EMEMORY, "out of memory encoding a [%zu, %zu] tensor", rows, cols);
    j.mse = j.error + rows;
    qz_pool_run(b->run->pool, 0, encode_worker, &j);
    *out = (qz_quantized){.type = type, .rows = rows, .cols = cols, .blocks = j.out, .bytes = total};
    for (size_t r = 0; r < rows; r++) {
        out->error += j.error[r];
        out->weight_mse += j.mse[r];
    }
    out->finite = isfinite(out->weight_mse); /* weights are finite: a value that is not would be in the sum */
    out->weight_mse /= (double)rows * (double)cols;
    return QZ_OK;
}
