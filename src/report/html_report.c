#include "report/html_report.h"
#include "eval/intervals.h"
#include "report/svg.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    ":root{--ink:#1a1a1a;--soft:#5f6368;--paper:#fff;--rule:#d5d8dc;--card:#f6f7f8;--ok:#137333;--no:#b3261e}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa0a6;--paper:#17181a;--rule:#3c4043;--card:#"
    "202124;--ok:#81c995;"
    "--no:#f28b82}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 "
    "system-ui,sans-serif}\n"
    "main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.6rem;margin:0 0 "
    "4px}h2{font-size:1.1rem;margin:0}\n"
    "p{margin:4px 0 12px;color:var(--soft);max-width:72ch}.facts{font-size:.85rem;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto;margin:16px 0 "
    "32px}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem;"
    "min-width:100%}\n"
    "th,td{padding:6px 10px;border-bottom:1px solid "
    "var(--rule);text-align:right;white-space:nowrap}th:first-child,td:first-child,"
    ".l{text-align:left}\n"
    "th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;padding:0;cursor:pointer}th "
    "button:focus-visible{"
    "outline:2px solid}th[aria-sort] button::after{content:\" \\2195\"}th[aria-sort=ascending] "
    "button::after{content:\" \\2191\"}"
    "th[aria-sort=descending] button::after{content:\" \\2193\"}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:24px}figure{margin:0;"
    "padding:16px;"
    "background:var(--card);border-radius:8px;break-inside:avoid}svg{width:100%;height:auto;display:block}\n"
    ".grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--soft)}.tick,.name{fill:var(--soft);font-size:13px}."
    "label{fill:var(--ink);"
    "font-size:12px}.line{fill:none;stroke:currentColor;stroke-width:2}.dashed{stroke-dasharray:5 "
    "4;stroke-width:1.5;opacity:.6}\n"
    "circle,rect{fill:currentColor}.bar{stroke:currentColor;stroke-width:2}.faint{opacity:.3}.source{color:var(--soft)"
    "!important}\n"
    ".c0{color:#4269d0}.c1{color:#d1495b}.c2{color:#3ca951}.c3{color:#b07aa1}.c4{color:#c9820a}.c5{color:#0f9aa8}.c6{"
    "color:#8c6d46}"
    ".c7{color:#868b90}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;padding:0;margin:8px 0 "
    "0;font-size:.85rem}.legend li{display:flex;"
    "align-items:center;gap:6px}.legend .key{width:12px}\n"
    ".ok{color:var(--ok)}.no{color:var(--no)}mark{background:#ffd54f;color:#000;padding:0 "
    "2px}.words{white-space:normal;text-align:left;"
    "min-width:220px;max-width:60ch;overflow-wrap:anywhere}section{margin-top:32px}\n"
    "@media print{:root{--ink:#000;--soft:#333;--paper:#fff;--card:#fff;--rule:#bbb}figure{border:1px solid "
    "#bbb}.scroll{overflow:visible}"
    "table{font-size:.7rem}th,td{padding:3px 5px}}\n";

/* A click or the keyboard sorts by a column; the values are the texts' own numbers. */
static const char script[] = "for(const b of document.querySelectorAll('th button'))b.onclick=()=>{const "
                             "h=b.closest('th'),t=h.closest('table'),"
                             "i=[...h.parentNode.children].indexOf(h),d=h.getAttribute('aria-sort')==='ascending'?-1:"
                             "1,v=r=>{const s=r.children[i].dataset.v??"
                             "r.children[i].textContent,n=parseFloat(s);return isNaN(n)?s:n};for(const o of "
                             "h.parentNode.children)o.setAttribute('aria-sort','none');"
                             "h.setAttribute('aria-sort',d>0?'ascending':'descending');const "
                             "rows=[...t.tBodies[0].rows];rows.sort((x,y)=>{const a=v(x),c=v(y);"
                             "return d*(typeof a==='number'&&typeof "
                             "c==='number'?a-c:String(a).localeCompare(String(c)))});t.tBodies[0].append(...rows)};\n";

static const char *text_of(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
static void fact(qz_str *o, const char *label, const char *value) {
    if (*value == 0) return;
    qz_str_printf(o, "<div><b>%s:</b> ", label);
    qz_html_text(o, value);
    qz_str_puts(o, "</div>\n");
}

/* A cell with its number for sorting; nothing known: a dash. */
static void cell(qz_str *o, double v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void cell(qz_str *o, double v, const char *fmt, ...) {
    va_list ap;
    if (!isfinite(v)) {
        qz_str_puts(o, "<td data-v=\"1e308\">\xe2\x80\x93</td>");
        return;
    }
    qz_str_printf(o, "<td data-v=\"%.9g\">", v);
    va_start(ap, fmt);
    qz_str_vprintf(o, fmt, ap);
    va_end(ap);
    qz_str_puts(o, "</td>");
}

static void row(const qz_html_page *h, size_t i) {
    const json_t *r = json_array_get(h->rows, i), *src = json_array_get(h->rows, 0);
    qz_str *o = h->out;
    const double gen = qz_html_number(json_object_get(r, "gen_tps"), "median"),
                 ttft = qz_html_number(json_object_get(r, "ttft_ms"), "median"),
                 prompt = qz_html_number(json_object_get(r, "prompt_tps"), "median"),
                 base = qz_html_number(json_object_get(src, "gen_tps"), "median"), kl = qz_html_number(r, "kl"),
                 d = qz_html_number(r, "dppl_pct"), n = qz_html_number(r, "tasks"),
                 k = qz_html_number(r, "tasks_solved"), full = qz_html_number(r, "runtime_kl"),
                 bytes = qz_html_number(r, "bytes");
    qz_str_puts(o, "<tr><td>");
    qz_html_text(o, i ? qz_html_name(r) : "source");
    qz_str_puts(o, "</td><td class=\"l\">");
    qz_html_text(o, text_of(r, "encoding"));
    qz_str_puts(o, "</td>");
    cell(o, bytes, "%.4g", bytes / 1e6);
    cell(o, qz_html_number(r, "bits_per_weight"), "%.2f", qz_html_number(r, "bits_per_weight"));
    cell(o, qz_html_number(r, "ppl"), "%.4g", qz_html_number(r, "ppl"));
    cell(o, d, "%+.2f", d);
    const double kl_low = qz_html_number(r, "kl_low"), kl_high = qz_html_number(r, "kl_high");
    if (isfinite(kl_low) && isfinite(kl_high)) cell(o, kl, "%.3g [%.3g, %.3g]", kl, kl_low, kl_high);
    else cell(o, kl, "%.3g", kl); /* one window */
    cell(o, full, "%.3g", full);
    cell(o, qz_html_number(r, "top1_pct"), "%.1f", qz_html_number(r, "top1_pct"));
    double low = 0, high = 0;
    qz_share_interval(k, n, 0.95, &low, &high);
    cell(o, n > 0 ? k / n : (double)NAN, "%.1f [%.1f, %.1f]", 100 * k / n, 100 * low, 100 * high);
    cell(o, ttft, "%.2f", ttft);
    cell(o, prompt, "%.0f", prompt);
    cell(o, gen, "%.0f", gen);
    cell(o, gen / base, "%.2f", gen / base);
    cell(o, qz_html_number(r, "peak_rss_bytes"), "%.0f", qz_html_number(r, "peak_rss_bytes") / 1e6);
    qz_str_puts(o, "</tr>\n");
}

static void main_table(const qz_html_page *h) {
    static const char *const titles[] = {"Artifact", "Encoding",     "MB",        "bits/w",  "PPL",
                                         "dPPL %",   "KL [95 %]",    "full KL",   "top-1 %", "tasks % [95 %]",
                                         "TTFT ms",  "prompt tok/s", "gen tok/s", "speed",   "peak MB"};
    qz_str_puts(h->out,
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"figures\"><table><thead><tr>");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        qz_str_printf(h->out, "<th scope=\"col\" aria-sort=\"none\"%s><button type=\"button\">%s</button></th>",
                      i == 1 ? " class=\"l\"" : "", titles[i]);
    qz_str_puts(h->out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(h->rows); i++) row(h, i);
    qz_str_puts(h->out, "</tbody></table></div>\n");
}

static void gate(const qz_html_page *h) {
    const json_t *g = json_object_get(h->root, "gate"), *list = json_object_get(g, "candidates");
    qz_str *o = h->out;
    if (!json_is_object(g)) return;
    qz_str_puts(o, "<section id=\"gate\"><h2>Gate</h2><p class=\"facts\">Rules set before looking: ");
    qz_html_text(o, text_of(g, "rules"));
    qz_str_puts(o, ", sha256 ");
    qz_html_text(o, text_of(g, "rules_sha256"));
    qz_str_puts(o, "</p><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Artifact</th><th "
                   "class=\"l\" scope=\"col\">"
                   "Verdict</th><th class=\"l\" scope=\"col\">Reasons</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *rules = json_object_get(c, "rules");
        const bool ok = json_is_true(json_object_get(c, "approved"));
        bool any = false;
        qz_str_puts(o, "<tr><td>");
        qz_html_text(o, text_of(c, "name"));
        qz_str_printf(o, "</td><td class=\"l %s\">%s</td><td class=\"words\">", ok ? "ok" : "no",
                      ok ? "approved" : "refused");
        for (size_t k = 0; k < json_array_size(rules); k++) {
            const json_t *r = json_array_get(rules, k);
            const bool pass = strcmp(text_of(r, "verdict"), "pass") == 0;
            if (pass && !ok) continue; /* what refused it */
            qz_str_puts(o, any ? "; " : "");
            if (!pass) {
                qz_html_text(o, text_of(r, "verdict"));
                qz_str_puts(o, ": ");
            }
            qz_html_text(o, text_of(r, "reason"));
            any = true;
        }
        qz_str_puts(o, "</td></tr>\n");
    }
    qz_str_puts(o, "</tbody></table></div></section>\n");
}

/* The tokens that depart most, in their text, the token itself marked. */
static void worst(const qz_html_page *h) {
    qz_str *o = h->out;
    bool any = false;
    for (size_t i = 1; i < json_array_size(h->rows); i++) {
        const json_t *r = json_array_get(h->rows, i), *list = json_object_get(r, "worst_tokens");
        for (size_t k = 0; k < json_array_size(list) && k < 3; k++) {
            const json_t *t = json_array_get(list, k);
            if (json_object_get(t, "token") == NULL) continue;
            if (!any)
                qz_str_puts(o, "<section id=\"worst\"><h2>Where artifacts depart most</h2><p>The three windows with "
                               "the largest KL of one "
                               "token; the token that was to come is marked.</p><div class=\"scroll\" "
                               "tabindex=\"0\"><table><thead><tr>"
                               "<th scope=\"col\">Artifact</th><th scope=\"col\">KL</th><th "
                               "scope=\"col\">window</th><th scope=\"col\">position"
                               "</th><th class=\"l\" scope=\"col\">Text</th></tr></thead><tbody>\n");
            any = true;
            qz_str_puts(o, "<tr><td>");
            qz_html_text(o, qz_html_name(r));
            qz_str_printf(o, "</td><td>%.4f</td><td>%.0f</td><td>%.0f</td><td class=\"words\">",
                          qz_html_number(t, "kl"), qz_html_number(t, "window"), qz_html_number(t, "position"));
            qz_html_text(o, text_of(t, "before"));
            qz_str_puts(o, "<mark>");
            qz_html_text(o, text_of(t, "token"));
            qz_str_puts(o, "</mark></td></tr>\n");
        }
    }
    if (any) qz_str_puts(o, "</tbody></table></div></section>\n");
}

void qz_html_report(const json_t *root, qz_str *out) {
    const qz_html_page h = {.root = root, .rows = json_object_get(root, "rows"), .out = out};
    qz_str_puts(out, QZ_HTML_HEAD
                "<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,"
                "initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>");
    qz_html_text(out, text_of(root, "model"));
    qz_str_puts(out, ": release report</title><style>\n");
    qz_str_puts(out, style);
    qz_str_puts(out, "</style></head><body><main>\n<h1>");
    qz_html_text(out, text_of(root, "model"));
    qz_str_puts(out, ": release report</h1>\n<div class=\"facts\">\n");
    fact(out, "Protocol", text_of(root, "protocol"));
    fact(out, "Token hash", text_of(root, "token_hash"));
    fact(out, "Calibration", text_of(root, "calibration"));
    fact(out, "Source sha256", text_of(root, "source_sha256"));
    fact(out, "Machine", text_of(root, "machine"));
    fact(out, "Made by quantz", text_of(root, "quantz"));
    qz_str_puts(out, "</div>\n");
    if (json_is_true(json_object_get(root, "gate_notask")))
        qz_str_puts(out,
                    "<p class=\"no\">GATE-NOTASK: no task metric; perplexity alone does not pass a release.</p>\n");
    main_table(&h);
    gate(&h);
    qz_str_puts(out, "<div class=\"plots\">\n");
    qz_html_size_plot(&h);
    qz_html_tasks_plot(&h);
    qz_html_position_plot(&h);
    qz_html_histogram(&h);
    qz_html_layers_plot(&h);
    qz_html_memory_plot(&h);
    qz_html_speed_plot(&h);
    qz_str_puts(out, "</div>\n");
    worst(&h);
    qz_str_puts(
        out,
        "<p class=\"facts\">KL(source || artifact) in nats a token, exact arithmetic, intervals over windows "
        "(bootstrap) and tasks "
        "(Wilson), 95 %. full KL: the runtime's own arithmetic, inputs rounded as served. All figures are those of "
        "report.json beside this file.</p>\n</main><script>\n");
    qz_str_puts(out, script);
    qz_str_puts(out, "</script></body></html>\n");
}
