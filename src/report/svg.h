/* Plots as SVG text: axes, points, lines, bars. Colours are CSS classes of the page (c0 … c7), so that light, dark and
 * print follow it; numbers are text.
 *   qz_plot p = {.out = &s, .width = 640, .height = 320, .x = {0, 10, false, "GB"}, .y = {1e-4, 1, true, "KL"}};
 *   qz_plot_begin(&p, "Size against KL"); qz_plot_point(&p, …); qz_plot_end(&p); */
#ifndef QZ_REPORT_SVG_H
#define QZ_REPORT_SVG_H
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct { double low, high; bool log; const char *title; } qz_axis;
typedef struct {
    qz_str *out;
    double width, height;       /* of the whole, in pixels at full size */
    double left;                /* room for labels on the left; 0: of numbers */
    qz_axis x, y;
} qz_plot;

/* Widens an axis to what it shall show; begin with {.low = INFINITY, .high = -INFINITY}. Not finite, and of a log axis
 * not positive: ignored. */
void qz_axis_see(qz_axis *a, double v);
/* Room around what was seen; something to show where nothing was. */
void qz_axis_finish(qz_axis *a);
/* id: of the plot's title for screen readers. */
void qz_plot_begin(qz_plot *p, const char *id, const char *title);
void qz_plot_end(qz_plot *p);
double qz_plot_x(const qz_plot *p, double v);
double qz_plot_y(const qz_plot *p, double v);
/* low < high: a bar of y; below: the label, where another stands above */
typedef struct { double x, y, low, high; const char *label, *tip; size_t colour; bool below; } qz_plot_mark;
void qz_plot_point(const qz_plot *p, const qz_plot_mark *m);
/* n corners; dashed: a helping line. */
void qz_plot_line(const qz_plot *p, const double *x, const double *y, size_t n, size_t colour, bool dashed);
/* A bar in row `row` of `rows`, from value a to b of the x axis. */
typedef struct { size_t row, rows; double from, to; const char *tip; size_t colour; bool faint; } qz_plot_bar_of;
void qz_plot_bar(const qz_plot *p, const qz_plot_bar_of *b);
/* Its label, left of the axis. */
void qz_plot_row_label(const qz_plot *p, size_t row, size_t rows, const char *text);
double qz_plot_row_y(const qz_plot *p, size_t row, size_t rows);
/* Text as HTML: & < > " and control characters. */
void qz_html_text(qz_str *out, const char *text);
#endif
