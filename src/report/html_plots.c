#include "report/html_report.h"
#include "eval/intervals.h"
#include "report/svg.h"
#include <math.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Small, so that 13 pixels of text stay readable on a phone. */
enum { WIDTH = 460, HEIGHT = 280, MOST = 64 };

double qz_html_number(const json_t *row, const char *key) {
    const json_t *v = json_object_get(row, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}
const char *qz_html_name(const json_t *row) {
    const char *path = json_string_value(json_object_get(row, "artifact")), *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "";
}
static size_t n_rows(const qz_html_page *h) {
    const size_t n = json_array_size(h->rows);
    return n < MOST ? n : MOST;
}
static void figure(const qz_html_page *h, const char *id, const char *title, const char *words) {
    qz_str_printf(h->out, "<figure id=\"%s\">\n<figcaption><h2>%s</h2><p>%s</p></figcaption>\n", id, title, words);
}
static void end_figure(const qz_html_page *h) { qz_str_puts(h->out, "</figure>\n"); }

/* Names of the lines' colours. */
static void legend(const qz_html_page *h) {
    qz_str_puts(h->out, "<ul class=\"legend\">");
    for (size_t i = 1; i < n_rows(h); i++) {
        qz_str_printf(h->out,
                      "<li class=\"c%zu\"><svg class=\"key\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><circle "
                      "cx=\"6\" cy=\"6\" "
                      "r=\"5\"/></svg> ",
                      (i - 1) % 8);
        qz_html_text(h->out, qz_html_name(json_array_get(h->rows, i)));
        qz_str_puts(h->out, "</li>");
    }
    qz_str_puts(h->out, "</ul>\n");
}

typedef struct { double size, kl, low, high; size_t row; } sized;
static int by_size(const void *a, const void *b) {
    const double x = ((const sized *)a)->size, y = ((const sized *)b)->size;
    return x < y ? -1 : x > y;
}

/* KL against bytes, with intervals, and the line of those that no other beats in both. */
void qz_html_size_plot(const qz_html_page *h) {
    sized all[MOST];
    size_t n = 0, front = 0;
    double px[2 * MOST], py[2 * MOST];
    qz_plot p = {.out = h->out, .width = WIDTH, .height = HEIGHT, .x = {INFINITY, -INFINITY, false, "size, MB"},
                 .y = {INFINITY, -INFINITY, true, "KL(source || artifact), nats a token"}};
    for (size_t i = 1; i < n_rows(h); i++) {
        const json_t *r = json_array_get(h->rows, i);
        const sized s = {qz_html_number(r, "bytes") / 1e6, qz_html_number(r, "kl"), qz_html_number(r, "kl_low"),
                         qz_html_number(r, "kl_high"), i};
        if (!(s.kl > 0) || !isfinite(s.size)) continue;
        all[n++] = s;
        qz_axis_see(&p.x, s.size);
        qz_axis_see(&p.y, s.kl);
        qz_axis_see(&p.y, s.low);
        qz_axis_see(&p.y, s.high);
    }
    if (n == 0) return;
    qz_axis_finish(&p.x);
    qz_axis_finish(&p.y);
    figure(h, "size", "Size against KL",
           "Lower left is better. Bars are 95 % intervals over windows; the dashed line joins the "
           "artifacts that no other beats in both.");
    qz_plot_begin(&p, "size-title", "KL divergence of each artifact against its size");
    qsort(all, n, sizeof *all, by_size);
    double best = INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!(all[i].kl < best)) continue;
        if (front) px[front] = all[i].size, py[front++] = best;
        px[front] = all[i].size;
        py[front++] = best = all[i].kl;
    }
    qz_plot_line(&p, px, py, front, 0, true);
    bool below = false;
    for (size_t i = 0; i < n; i++) {
        char tip[256];
        const char *name = qz_html_name(json_array_get(h->rows, all[i].row));
        const bool near = i && !below && fabs(qz_plot_x(&p, all[i].size) - qz_plot_x(&p, all[i - 1].size)) < 110 &&
                          fabs(qz_plot_y(&p, all[i].kl) - qz_plot_y(&p, all[i - 1].kl)) < 14;
        below = near;
        (void)snprintf(tip, sizeof tip, "%.120s: %.4g MB, KL %.6g [%.6g, %.6g]", name, all[i].size, all[i].kl,
                       all[i].low, all[i].high);
        qz_plot_point(&p, &(qz_plot_mark){.x = all[i].size, .y = all[i].kl, .low = all[i].low, .high = all[i].high,
                                          .label = name, .tip = tip, .colour = all[i].row - 1, .below = below});
    }
    qz_plot_end(&p);
    end_figure(h);
}

void qz_html_position_plot(const qz_html_page *h) {
    qz_plot p = {.out = h->out,
                 .width = WIDTH,
                 .height = HEIGHT,
                 .x = {INFINITY, -INFINITY, true, "position in the window, tokens"},
                 .y = {INFINITY, -INFINITY, true, "KL, nats a token"}};
    size_t shown = 0;
    for (size_t i = 1; i < n_rows(h); i++) {
        const json_t *list = json_object_get(json_array_get(h->rows, i), "kl_by_position");
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *b = json_array_get(list, k);
            qz_axis_see(&p.x, qz_html_number(b, "from") + 8);
            qz_axis_see(&p.y, qz_html_number(b, "kl"));
            shown++;
        }
    }
    if (shown == 0) return;
    qz_axis_finish(&p.x);
    qz_axis_finish(&p.y);
    figure(h, "position", "KL by position", "A line that rises says that long contexts lose more than short ones.");
    qz_plot_begin(&p, "position-title", "KL divergence by position in the window");
    for (size_t i = 1; i < n_rows(h); i++) {
        const json_t *r = json_array_get(h->rows, i), *list = json_object_get(r, "kl_by_position");
        double x[32], y[32];
        size_t n = 0;
        for (size_t k = 0; k < json_array_size(list) && n < 32; k++) {
            const json_t *b = json_array_get(list, k);
            char tip[256];
            x[n] = qz_html_number(b, "from") + 8;
            y[n] = qz_html_number(b, "kl");
            if (!(y[n] > 0)) continue;
            (void)snprintf(tip, sizeof tip, "%.120s, positions from %.0f: KL %.6g over %.0f tokens", qz_html_name(r),
                           qz_html_number(b, "from"), y[n], qz_html_number(b, "tokens"));
            qz_plot_point(&p, &(qz_plot_mark){.x = x[n], .y = y[n], .tip = tip, .colour = i - 1});
            n++;
        }
        qz_plot_line(&p, x, y, n, i - 1, false);
    }
    qz_plot_end(&p);
    legend(h);
    end_figure(h);
}

/* Shares of tokens above the edges of the bins, [n]; the sum of all, or 0. */
static double above(const json_t *list, double *x, double *y, size_t *n) {
    double total = 0, left;
    for (size_t k = 0; k < json_array_size(list); k++) total += json_number_value(json_array_get(list, k));
    left = total;
    *n = 0;
    for (size_t k = 0; k < json_array_size(list) && k < MOST && total > 0; k++) {
        left -= json_number_value(json_array_get(list, k));
        x[*n] = pow(10, -7 + ((double)k + 1) / 4);
        y[*n] = left / total;
        if (left > 0) ++*n;
    }
    return total;
}

void qz_html_histogram(const qz_html_page *h) {
    qz_plot p = {.out = h->out,
                 .width = WIDTH,
                 .height = HEIGHT,
                 .x = {INFINITY, -INFINITY, true, "KL of a token, nats"},
                 .y = {INFINITY, -INFINITY, true, "share of tokens above"}};
    double x[MOST], y[MOST];
    size_t n;
    bool any = false;
    for (size_t i = 1; i < n_rows(h); i++) {
        if (!(above(json_object_get(json_array_get(h->rows, i), "kl_histogram"), x, y, &n) > 0)) continue;
        for (size_t k = 0; k < n; k++) {
            qz_axis_see(&p.x, x[k]);
            qz_axis_see(&p.y, y[k]);
            any = true;
        }
    }
    if (!any) return;
    qz_axis_finish(&p.x);
    qz_axis_finish(&p.y);
    figure(h, "tokens", "KL of single tokens",
           "The share of tokens whose divergence is larger: most change little, a few carry the mean.");
    qz_plot_begin(&p, "tokens-title", "Share of tokens above a KL divergence");
    for (size_t i = 1; i < n_rows(h); i++)
        if (above(json_object_get(json_array_get(h->rows, i), "kl_histogram"), x, y, &n) > 0)
            qz_plot_line(&p, x, y, n, i - 1, false);
    qz_plot_end(&p);
    legend(h);
    end_figure(h);
}

/* "model.layers.11.mlp.up_proj" is layer 11; −1: no layer. */
static int layer_of(const char *name) {
    const char *at = strstr(name, "layers.");
    if (at == NULL) at = strstr(name, "blk.");
    at = at ? strchr(at, '.') : NULL;
    return at && at[1] >= '0' && at[1] <= '9' ? (int)strtol(at + 1, NULL, 10) : -1;
}

void qz_html_layers_plot(const qz_html_page *h) {
    qz_plot p = {.out = h->out, .width = WIDTH, .height = HEIGHT, .x = {INFINITY, -INFINITY, false, "layer"},
                 .y = {INFINITY, -INFINITY, true, "relative error of outputs"}};
    size_t shown = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 1; i < n_rows(h); i++) {
            const json_t *r = json_array_get(h->rows, i),
                         *list = json_object_get(json_object_get(r, "output_error"), "linears");
            for (size_t k = 0; k < json_array_size(list); k++) {
                const json_t *l = json_array_get(list, k);
                const char *name = json_string_value(json_object_get(l, "name"));
                const double e = qz_html_number(l, "relative_error");
                char tip[256];
                if (name == NULL || layer_of(name) < 0 || !(e > 0)) continue;
                if (pass == 0) {
                    qz_axis_see(&p.x, layer_of(name));
                    qz_axis_see(&p.y, e);
                    shown++;
                    continue;
                }
                (void)snprintf(tip, sizeof tip, "%.80s: %.120s: %.4g", qz_html_name(r), name, e);
                qz_plot_point(&p, &(qz_plot_mark){.x = layer_of(name), .y = e, .tip = tip, .colour = i - 1});
            }
        }
        if (shown == 0) return;
        if (pass) break;
        qz_axis_finish(&p.x);
        qz_axis_finish(&p.y);
        figure(h, "layers", "Error by layer and linear",
               "What coding costs the output of each linear on the calibration data, "
               "||(W - Q)X||\xc2\xb2 / ||WX||\xc2\xb2; hold the pointer over a point for its name.");
        qz_plot_begin(&p, "layers-title", "Relative output error of every linear by layer");
    }
    qz_plot_end(&p);
    legend(h);
    end_figure(h);
}

void qz_html_tasks_plot(const qz_html_page *h) {
    const json_t *kinds = json_object_get(json_array_get(h->rows, 0), "kinds"), *v;
    const size_t n_kinds = json_object_size(kinds), n = n_rows(h);
    const char *kind;
    size_t k = 0;
    if (n_kinds == 0) return;
    qz_plot p = {.out = h->out, .width = WIDTH, .height = 60 + (double)n_kinds * (14 + 9 * (double)n), .left = 104,
                 .x = {0, 100, false, "tasks solved, %, with 95 % intervals"}, .y = {0, 1, false, NULL}};
    figure(h, "tasks", "Tasks by kind", "Grey is the source; bars are 95 % intervals (Wilson).");
    qz_plot_begin(&p, "tasks-title", "Share of tasks solved by kind");
    json_object_foreach((json_t *)(uintptr_t)kinds, kind, v) {
        qz_plot_row_label(&p, k, n_kinds, kind);
        for (size_t i = 0; i < n; i++) {
            const json_t *r = json_array_get(h->rows, i), *c = json_object_get(json_object_get(r, "kinds"), kind);
            const double solved = json_number_value(json_array_get(c, 0)),
                         of = json_number_value(json_array_get(c, 1));
            double low, high;
            if (!(of > 0)) continue;
            qz_share_interval(solved, of, 0.95, &low, &high);
            const double y = qz_plot_row_y(&p, k, n_kinds) + 9 * ((double)i - ((double)n - 1) / 2);
            qz_str_printf(h->out, "<g class=\"%s%zu\"><title>", i ? "c" : "source c", i ? (i - 1) % 8 : 0);
            qz_html_text(h->out, i ? qz_html_name(r) : "source");
            qz_str_printf(
                h->out,
                ": %.0f of %.0f, %.1f %% [%.1f, %.1f]</title><line class=\"bar\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
                "y2=\"%.1f\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/></g>\n",
                solved, of, 100 * solved / of, 100 * low, 100 * high, qz_plot_x(&p, 100 * low),
                qz_plot_x(&p, 100 * high), y, y, qz_plot_x(&p, 100 * solved / of), y);
        }
        k++;
    }
    qz_plot_end(&p);
    legend(h);
    end_figure(h);
}

void qz_html_memory_plot(const qz_html_page *h) {
    const size_t n = n_rows(h);
    qz_plot p = {.out = h->out, .width = WIDTH, .height = 60 + 26 * (double)n, .left = 158, .x = {0, 0, false, "MB"},
                 .y = {0, 1, false, NULL}};
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(h->rows, i);
        const double peak = qz_html_number(r, "peak_rss_bytes"), bytes = qz_html_number(r, "bytes");
        if (isfinite(peak)) p.x.high = fmax(p.x.high, fmax(peak, bytes) / 1e6);
    }
    if (!(p.x.high > 0)) return;
    p.x.high *= 1.08;
    figure(h, "memory", "Memory",
           "Full: the artifact's bytes; faint: what a process that runs it takes besides (KV cache, buffers, packed "
           "copies, the program), measured here on the CPU.");
    qz_plot_begin(&p, "memory-title", "Peak memory of each artifact");
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(h->rows, i);
        const double peak = qz_html_number(r, "peak_rss_bytes") / 1e6, bytes = qz_html_number(r, "bytes") / 1e6;
        char tip[256];
        if (!isfinite(peak)) continue;
        qz_plot_row_label(&p, i, n, i ? qz_html_name(r) : "source");
        (void)snprintf(tip, sizeof tip, "artifact %.4g MB, peak of the process %.4g MB", bytes, peak);
        if (peak > bytes)
            qz_plot_bar(&p, &(qz_plot_bar_of){.row = i, .rows = n, .from = bytes, .to = peak, .tip = tip,
                                              .colour = i ? i - 1 : 7, .faint = true});
        qz_plot_bar(
            &p, &(qz_plot_bar_of){.row = i, .rows = n, .from = 0, .to = bytes, .tip = tip, .colour = i ? i - 1 : 7});
    }
    qz_plot_end(&p);
    end_figure(h);
}

void qz_html_speed_plot(const qz_html_page *h) {
    const size_t n = n_rows(h);
    const double bandwidth = qz_html_number(h->root, "memory_bandwidth_gbs");
    qz_plot p = {.out = h->out,
                 .width = WIDTH,
                 .height = 60 + 26 * (double)n,
                 .left = 158,
                 .x = {0, 0, false, "generated tokens a second"},
                 .y = {0, 1, false, NULL}};
    for (size_t i = 0; i < n; i++)
        p.x.high = fmax(p.x.high, qz_html_number(json_object_get(json_array_get(h->rows, i), "gen_tps"), "max"));
    if (!(p.x.high > 0)) return;
    p.x.high *= 1.15;
    figure(h, "speed", "Generation",
           "Full: median of the repeats. Faint, where it fits on the page: what the machine's read bandwidth would "
           "allow at the bytes a token reads; weights that fit in cache pass it.");
    qz_plot_begin(&p, "speed-title", "Generated tokens a second");
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(h->rows, i), *g = json_object_get(r, "gen_tps");
        const double median = qz_html_number(g, "median"),
                     ceiling = 1e9 * bandwidth / qz_html_number(r, "bytes_per_token");
        char tip[256];
        if (!isfinite(median)) continue;
        qz_plot_row_label(&p, i, n, i ? qz_html_name(r) : "source");
        (void)snprintf(tip, sizeof tip, "%.5g tokens/s [%.5g to %.5g]%s%.0d", median, qz_html_number(g, "min"),
                       qz_html_number(g, "max"), isfinite(ceiling) ? ", bandwidth would allow " : "",
                       isfinite(ceiling) ? (int)fmin(ceiling, 1e9) : 0);
        if (isfinite(ceiling) && ceiling > median)
            qz_plot_bar(&p, &(qz_plot_bar_of){.row = i, .rows = n, .from = median, .to = ceiling, .tip = tip,
                                              .colour = i ? i - 1 : 7, .faint = true});
        qz_plot_bar(
            &p, &(qz_plot_bar_of){.row = i, .rows = n, .from = 0, .to = median, .tip = tip, .colour = i ? i - 1 : 7});
    }
    qz_plot_end(&p);
    end_figure(h);
}
