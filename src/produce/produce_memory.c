/* Memory of writing one artifact, planned before it starts: an upper bound of what is resident at once. */
#include "artifacts/artifact.h"
#include "base/size.h"
#include "calibrate/calibrate.h"
#include "produce/produce.h"

/* Weights of the largest block, whose items stand together, and of the largest matrix that is coded. */
static qz_method_sizes sizes_of(const qz_artifact_plan *plan, const qz_config *c, const qz_window_options *w) {
    qz_method_sizes s = {.config = c, .windows = w->most, .seq_len = w->seq_len};
    uint64_t in_layer = 0;
    long layer = -1;
    for (size_t i = 0; i < plan->n_items; i++) {
        const uint64_t n = (uint64_t)plan->items[i].rows * plan->items[i].cols;
        if (plan->items[i].layer != layer) in_layer = 0;
        layer = plan->items[i].layer;
        if (layer >= 0) s.block = qz_max_size(s.block, in_layer += n);
        const bool coded = layer >= 0 || plan->spec.lm_head || (plan->model->loose && plan->items[i].linear >= 0);
        if (coded) s.largest = n > s.largest ? n : s.largest;
    }
    return s;
}

uint64_t qz_produce_memory(const qz_source *s, const qz_artifact_plan *plan, const qz_importance *imp,
                           const qz_recipe *recipe, bool made_stats) {
    const qz_config *c = &s->model->config;
    const qz_method_sizes sizes = sizes_of(plan, c, &recipe->calibration.windows);
    const qz_method_memory m = qz_produce_method(recipe, imp)->ops->memory(&recipe->codes, &sizes);
    const uint64_t pass = made_stats ? qz_max_size(m.pass, qz_calibrate_bytes(c, sizes.windows, sizes.seq_len, 0))
                                     : m.pass;
    uint64_t bytes = QZ_PROGRAM_BYTES + QZ_PER_TOKEN_BYTES * c->vocab_size + s->model->file_bytes +
                     plan->total_bytes + pass + m.held;
    if (imp->stats) bytes += imp->stats->map.size;
    return bytes + bytes / 10;
}
