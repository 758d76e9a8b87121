#include "report/svg.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 64, RIGHT = 16, TOP = 12, BOTTOM = 44 };

void qz_html_text(qz_str *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)(text ? text : ""); *c; c++) {
        if (*c == '&') qz_str_puts(out, "&amp;");
        else if (*c == '<') qz_str_puts(out, "&lt;");
        else if (*c == '>') qz_str_puts(out, "&gt;");
        else if (*c == '"') qz_str_puts(out, "&quot;");
        else if (*c == '\n') qz_str_puts(out, "\xe2\x8f\x8e "); /* the return sign: text in one line */
        else if (*c < 0x20 || *c == 0x7f) qz_str_putc(out, ' ');
        else qz_str_putc(out, (char)*c);
    }
}

void qz_axis_see(qz_axis *a, double v) {
    if (!isfinite(v) || (a->log && !(v > 0))) return;
    a->low = fmin(a->low, v);
    a->high = fmax(a->high, v);
}
void qz_axis_finish(qz_axis *a) {
    if (!(a->low <= a->high)) a->low = a->log ? 0.1 : 0, a->high = 1;
    if (a->log) {
        const double room = fmax(0.15, 0.08 * log10(a->high / a->low));
        a->low = a->low / pow(10, room);
        a->high = a->high * pow(10, room);
        return;
    }
    const double room = a->high > a->low ? 0.08 * (a->high - a->low) : fmax(0.05 * fabs(a->high), 1e-9);
    a->low = a->low >= 0 ? fmax(0, a->low - room) : a->low - room;
    a->high += room;
}

static double share(const qz_axis *a, double v) {
    if (a->log) return v > 0 ? fmin(fmax(log(v / a->low) / log(a->high / a->low), 0), 1) : 0;
    return fmin(fmax((v - a->low) / (a->high - a->low), 0), 1);
}
static double left(const qz_plot *p) { return p->left > 0 ? p->left : LEFT; }
double qz_plot_x(const qz_plot *p, double v) { return left(p) + share(&p->x, v) * (p->width - left(p) - RIGHT); }
double qz_plot_y(const qz_plot *p, double v) { return TOP + (1 - share(&p->y, v)) * (p->height - TOP - BOTTOM); }

/* Round steps, five or so; powers of ten on a log axis, with halves where there are few. */
static size_t ticks(const qz_axis *a, double t[16]) {
    size_t n = 0;
    if (a->log) {
        const bool few = log10(a->high / a->low) < 2.5;
        for (double d = floor(log10(a->low)); d <= ceil(log10(a->high)) && n < 14; d++) {
            const double parts[3] = {1, 2, 5};
            for (size_t i = 0; i < (few ? 3u : 1u) && n < 16; i++) {
                const double v = parts[i] * pow(10, d);
                if (v >= a->low * 0.999 && v <= a->high * 1.001) t[n++] = v;
            }
        }
        return n;
    }
    const double raw = (a->high - a->low) / 5, power = pow(10, floor(log10(raw)));
    const double unit = raw / power, step = power * (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10);
    for (double v = ceil(a->low / step - 1e-9) * step; v <= a->high + 1e-9 * step && n < 16; v += step)
        t[n++] = fabs(v) < 1e-9 * step ? 0 : v;
    return n;
}

void qz_plot_begin(qz_plot *p, const char *id, const char *title) {
    double t[16];
    qz_str *o = p->out;
    const double x0 = left(p), x1 = p->width - RIGHT, y1 = p->height - BOTTOM;
    qz_str_printf(o, "<svg role=\"img\" aria-labelledby=\"%s\" viewBox=\"0 0 %g %g\">\n<title id=\"%s\">", id,
                  p->width, p->height, id);
    qz_html_text(o, title);
    qz_str_puts(o, "</title>\n");
    size_t n = ticks(&p->x, t);
    for (size_t i = 0; i < n; i++)
        qz_str_printf(
            o,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\"/><text class=\"tick\" x=\"%.1f\" "
            "y=\"%.1f\" text-anchor=\"middle\">%.4g</text>\n",
            qz_plot_x(p, t[i]), qz_plot_x(p, t[i]), TOP, y1, qz_plot_x(p, t[i]), y1 + 16, t[i]);
    n = p->y.title ? ticks(&p->y, t) : 0;
    for (size_t i = 0; i < n; i++)
        qz_str_printf(
            o,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"tick\" x=\"%.1f\" "
            "y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
            x0, x1, qz_plot_y(p, t[i]), qz_plot_y(p, t[i]), x0 - 6, qz_plot_y(p, t[i]) + 4, t[i]);
    qz_str_printf(o, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x0, x1, y1, y1);
    qz_str_printf(o, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", x1, p->height - 8);
    qz_html_text(o, p->x.title);
    qz_str_puts(o, "</text>\n");
    if (p->y.title == NULL) return;
    qz_str_printf(o, "<text class=\"name\" x=\"12\" y=\"%d\" transform=\"rotate(-90 12 %d)\" text-anchor=\"end\">",
                  TOP, TOP);
    qz_html_text(o, p->y.title);
    qz_str_puts(o, "</text>\n");
}
void qz_plot_end(qz_plot *p) { qz_str_puts(p->out, "</svg>\n"); }

static void tip(qz_str *o, const char *text) {
    if (text == NULL) return;
    qz_str_puts(o, "<title>");
    qz_html_text(o, text);
    qz_str_puts(o, "</title>");
}

void qz_plot_point(const qz_plot *p, const qz_plot_mark *m) {
    qz_str *o = p->out;
    const double x = qz_plot_x(p, m->x), y = qz_plot_y(p, m->y);
    qz_str_printf(o, "<g class=\"c%zu\">", m->colour % 8);
    tip(o, m->tip);
    if (m->low < m->high)
        qz_str_printf(o, "<line class=\"bar\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x,
                      qz_plot_y(p, m->low), qz_plot_y(p, m->high));
    qz_str_printf(o, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", x, y);
    if (m->label) {
        const bool before = x > p->width - 130; /* else it would leave the picture */
        qz_str_printf(o, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\"%s>", before ? x - 8 : x + 8,
                      m->below ? y + 16 : y - 6, before ? " text-anchor=\"end\"" : "");
        qz_html_text(o, m->label);
        qz_str_puts(o, "</text>");
    }
    qz_str_puts(o, "</g>\n");
}

void qz_plot_line(const qz_plot *p, const double *x, const double *y, size_t n, size_t colour, bool dashed) {
    if (n == 0) return;
    qz_str_printf(p->out, "<polyline class=\"line c%zu%s\" points=\"", colour % 8, dashed ? " dashed" : "");
    for (size_t i = 0; i < n; i++)
        qz_str_printf(p->out, "%s%.1f,%.1f", i ? " " : "", qz_plot_x(p, x[i]), qz_plot_y(p, y[i]));
    qz_str_puts(p->out, "\"/>\n");
}

static double row_height(const qz_plot *p, size_t rows) {
    return (p->height - TOP - BOTTOM) / (double)(rows ? rows : 1);
}
double qz_plot_row_y(const qz_plot *p, size_t row, size_t rows) {
    return TOP + ((double)row + 0.5) * row_height(p, rows);
}

void qz_plot_bar(const qz_plot *p, const qz_plot_bar_of *b) {
    const double h = 0.62 * row_height(p, b->rows), x = qz_plot_x(p, b->from), w = qz_plot_x(p, b->to) - x;
    qz_str_printf(p->out, "<g class=\"c%zu%s\">", b->colour % 8, b->faint ? " faint" : "");
    tip(p->out, b->tip);
    qz_str_printf(p->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>\n", x,
                  qz_plot_row_y(p, b->row, b->rows) - h / 2, fmax(w, 0.5), h);
}
void qz_plot_row_label(const qz_plot *p, size_t row, size_t rows, const char *text) {
    qz_str_printf(p->out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", left(p) - 6,
                  qz_plot_row_y(p, row, rows) + 4);
    qz_html_text(p->out, text);
    qz_str_puts(p->out, "</text>\n");
}
