/* What a mended folder still lacks, measured by running it on calibration data: largest inputs of its linears, largest
 * keys and values. */
#include "artifacts/source.h"
#include "base/size.h"
#include "base/io.h"
#include "produce/calib_data.h"
#include "produce/outputs.h"
#include "produce/repair.h"
#include <stdlib.h>
#include <string.h>

/* Largest input of the linear whose tensor is `weight`; 0: there is none of that name. */
static float largest_input(const qz_model *m, const qz_stats *s, const char *weight) {
    const qz_input_widths *in = &s->info.in;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            for (size_t e = 0; qz_site_linear(&b->site) && e < qz_max_size(1, b->site.experts); e++) {
                if (!b->weight[e] || strcmp(b->weight[e]->name, weight) != 0) continue;
                const size_t k = qz_input_of(in, l, (size_t)b->site.part, b->site.experts ? (long)e : -1);
                const qz_input_stats x = qz_stats_get(s, l, k);
                float most = 0;
                for (size_t c = 0; c < x.cols && x.tokens; c++) most = x.max_abs[c] > most ? x.max_abs[c] : most;
                return most;
            }
        }
    return 0;
}

static qz_status inputs(qz_repair *j, qz_source *s, qz_mending *m, qz_error *err) {
    qz_stats stats = {0};
    qz_str path = {0};
    char name[QZ_ST_MAX_NAME];
    if (m->n_missing == 0) return QZ_OK;
    qz_str_printf(&path, "%s%s", j->out, QZ_OWN_STATS);
    qz_status st = path.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                               : qz_calib_make(j->run, s, j->r, path.ptr, NULL, err);
    if (st == QZ_OK) st = qz_stats_open(&stats, path.ptr, err);
    for (size_t i = 0; i < m->n_missing && st == QZ_OK; i++) {
        (void)snprintf(name, sizeof name, "%s.weight", m->missing[i].module);
        st = qz_mend_input(m, i, largest_input(s->model, &stats, name), err);
    }
    qz_stats_release(&stats);
    qz_error ignored = {0};
    if (!path.failed) (void)qz_remove_tree(path.ptr, &ignored);
    qz_str_release(&path);
    return st;
}

/* "model.layers.12.self_attn" is layer 12. */
static bool layer_of(const char *attn, size_t layers, size_t *out) {
    const char *p = strstr(attn, "layers.");
    char *end;
    if (!p || p[7] < '0' || p[7] > '9') return false;
    const unsigned long n = strtoul(p + 7, &end, 10);
    *out = n;
    return *end == '.' && n < layers;
}

static qz_status cache(qz_repair *j, const qz_source *s, qz_mending *m, qz_error *err) {
    qz_dataset data = {0};
    qz_windows windows = {0};
    qz_kv_ranges r;
    qz_arena a = {0};
    qz_request again = *j->r;
    size_t layer = 0;
    if (m->n_cache == 0) return QZ_OK;
    again.linted = m->n_missing > 0;
    qz_status st = qz_calib_windows(j->run, s, &again, &data, &windows, err);
    if (st == QZ_OK) st = qz_calib_cache_ranges(j->run, s, &windows, &a, &r, err);
    for (size_t i = 0; i < m->n_cache && st == QZ_OK; i++)
        st = layer_of(m->cache[i], r.layers, &layer)
                 ? qz_mend_cache(m, i, r.k + layer * r.heads, r.v + layer * r.heads, r.heads, err)
                 : qz_fail(err, QZ_EUNSUPPORTED,
                           "no layer of the model: module '%s': expected 'layers.N' below %zu; repair without --calib",
                           m->cache[i], r.layers);
    qz_windows_release(&windows);
    qz_dataset_release(&data);
    qz_arena_release(&a);
    return st;
}

qz_status qz_repair_measure(qz_repair *j, const char *path, qz_mending *m, qz_error *err) {
    qz_source s = {0};
    qz_run silent = *j->run; /* the folder is not whole yet, nor under its last name */
    silent.log = NULL;
    silent.hook = NULL;
    QZ_TRY(qz_source_open(&silent, path, &s, err));
    qz_status st = qz_source_hash(j->run, &s, err);
    if (st == QZ_OK) st = inputs(j, &s, m, err);
    if (st == QZ_OK) st = cache(j, &s, m, err);
    qz_source_release(&s);
    return st;
}
