#include "report/findings_print.h"
#include "base/json.h"
#include "deploy/check.h"
#include "report/fit.h"
#include <string.h>

void qz_print_wrapped(qz_str *s, const char *label, size_t indent, const char *text) {
    const size_t columns = qz_text_columns();
    size_t at = qz_width(label, strlen(label));
    qz_str_puts(s, label);
    for (; at < indent; at++) qz_str_putc(s, ' ');
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " "), w = qz_width(text, n);
        if (!first && at + 1 + w > columns) {
            qz_str_printf(s, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            qz_str_putc(s, ' ');
            at++;
        }
        qz_str_append(s, text, n);
        at += w;
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    qz_str_putc(s, '\n');
}

void qz_print_findings(qz_str *s, const qz_findings *f) {
    for (int level = QZ_FINDING_ERROR; level >= QZ_FINDING_NOTE; level--)
        for (size_t i = 0; i < f->n; i++) {
            const qz_finding *x = &f->rows[i];
            const qz_pitfall *p = qz_pitfall_get(x->code);
            size_t same = 0, before = 0; /* notes of one code are told once */
            for (size_t k = 0; k < f->n && level == QZ_FINDING_NOTE; k++)
                if (f->rows[k].level == x->level && strcmp(f->rows[k].code, x->code) == 0) same++, before += k < i;
            if ((int)x->level != level || before) continue;
            qz_str_printf(s, "%-8s %s%s%s", qz_finding_level_name(x->level), x->code, *x->subject ? "  " : "", x->subject);
            if (same > 1) qz_str_printf(s, " (and %zu more)", same - 1);
            qz_str_putc(s, '\n');
            qz_print_wrapped(s, "", 9, x->problem);
            if (p) qz_print_wrapped(s, "         cause:", 16, p->cause);
            if (p) qz_print_wrapped(s, "         seen:", 16, p->symptom);
            if (x->fix && *x->fix) qz_print_wrapped(s, "         fix:", 16, x->fix);
        }
}

void qz_json_text(qz_str *s, const char *key, const char *value) {
    qz_str_printf(s, ",\"%s\":", key);
    if (value) qz_json_quote(s, value, strlen(value));
    else qz_str_puts(s, "null");
}

void qz_json_findings(qz_str *s, const qz_findings *f) {
    qz_str_putc(s, '[');
    for (size_t i = 0; i < f->n; i++) {
        const qz_finding *x = &f->rows[i];
        const qz_pitfall *p = qz_pitfall_get(x->code);
        qz_str_printf(s, "%s\n{\"code\":\"%s\"", i ? "," : "", x->code);
        qz_json_text(s, "level", qz_finding_level_name(x->level));
        qz_json_text(s, "subject", x->subject);
        qz_json_text(s, "problem", x->problem);
        qz_json_text(s, "symptom", p ? p->symptom : NULL);
        qz_json_text(s, "cause", p ? p->cause : NULL);
        qz_json_text(s, "fix", x->fix);
        qz_json_text(s, "source", x->source);
        qz_str_putc(s, '}');
    }
    qz_str_puts(s, f->n ? "\n]" : "]");
}
