/* Memory of writing one artifact, planned before it starts: an upper bound of what is resident at once. */
#include "artifacts/artifact.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include "calibrate/calibrate.h"
#include "methods/int_blocks.h"
#include "pipeline/produce.h"

#define PROGRAM ((uint64_t)20 << 20)         /* code, libraries, allocator slack */
#define PER_TOKEN 1200u             /* vocabulary and merges, in the source and again in the proof */
#define CHUNK_FLOATS ((uint64_t)16 << 20)    /* block types are encoded in pieces */

/* Matrices of one input while its linears are solved: Gram, factor, inverse, two float ones; asymmetric calibration on top. */
static uint64_t solver(const qz_config *c, bool asymmetric) {
    qz_input_widths w;
    qz_input_widths_of(c, &w);
    const uint64_t k = qz_widest_input(&w);
    uint64_t corrections = k * k * 56 + c->hidden_size * k * 28; /* 3 doubles and 8 floats; of the residual stream 1 and 5 */
    return k * k * 32 + (asymmetric ? corrections : 0);          /* 3 doubles and 2 floats */
}

uint64_t qz_produce_memory(const qz_source *s, const qz_artifact_plan *plan, const qz_importance *imp, const qz_recipe *recipe, bool made_stats) {
    const qz_method_options *o = &recipe->codes;
    const size_t windows = recipe->calibration.windows.most, seq_len = recipe->calibration.windows.seq_len;
    const qz_config *c = &s->model->config;
    const bool grouped = plan->spec.scheme == QZ_SCHEME_AWQ || plan->spec.scheme == QZ_SCHEME_GPTQ;
    uint64_t block = 0, largest = 0, pass = 0, in_layer = 0; /* block: of the largest layer, whose items stand together */
    long layer = -1;
    for (size_t i = 0; i < plan->n_items; i++) {
        uint64_t n = (uint64_t)plan->items[i].rows * plan->items[i].cols;
        if (plan->items[i].layer != layer) in_layer = 0;
        layer = plan->items[i].layer;
        if (layer >= 0) block = qz_max_size(block, in_layer += n);
        if (plan->items[i].layer >= 0 || plan->spec.lm_head) largest = n > largest ? n : largest;
    }
    if (grouped && o->propagate) pass = qz_propagate_bytes(c, windows, seq_len) + 4 * block; /* and the quantized weights of a block */
    if (made_stats) pass = qz_max_size(pass, qz_calibrate_bytes(c, windows, seq_len));
    uint64_t bytes = PROGRAM + (uint64_t)PER_TOKEN * c->vocab_size + s->model->file_bytes + plan->total_bytes + pass;
    if (imp->stats) bytes += imp->stats->map.size;
    if (grouped) bytes += block * (4 + 1 + 4) + largest * 4 * 6 + solver(c, o->propagate && o->asymmetric);
    else bytes += (imp->stats ? 4 * solver(c, false) : 0) + qz_min_size(CHUNK_FLOATS, largest) * 4 * 5;
    return bytes + bytes / 10;
}
