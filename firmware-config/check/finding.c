#include "check/finding.h"

#include <stdarg.h>
#include <string.h>

#include "base/json.h"

static const char *const level_names[] = {
	[FINDING_NOTE] = "note",
	[FINDING_ATTENTION] = "attention",
	[FINDING_DEFECT] = "defect",
};

void findings_init(struct findings *findings)
{
	*findings = (struct findings){.list = json_array()};
	ASSERT(findings->list);
}

void findings_release(struct findings *findings)
{
	json_decref(findings->list);
	findings->list = NULL;
}

void findings_count(struct findings *findings)
{
	findings->checked++;
}

void findings_add(struct findings *findings, enum finding_level level, const char *object,
		  const char *advice, const char *format, ...)
{
	json_t *finding = json_object();
	char sentence[ERROR_MESSAGE_SIZE];
	va_list arguments;
	int r;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	ASSERT(finding);
	json_put_string(finding, "level", level_names[level]);
	json_put_string(finding, "object", object);
	json_put_string(finding, "sentence", sentence);
	json_put_string(finding, "do", advice);
	r = json_array_append_new(findings->list, finding);
	ASSERT(r == 0);
	findings->attention |= level == FINDING_ATTENTION;
	findings->incomplete |= level == FINDING_DEFECT;
}

int findings_status(const struct findings *findings)
{
	if (findings->incomplete)
		return 3;
	return findings->attention ? 6 : 0;
}

static const char *text_of(const json_t *finding, const char *key)
{
	return json_string_value(json_object_get(finding, key));
}

size_t findings_matching(const struct findings *findings, const char *object, const char *words)
{
	const json_t *finding;
	size_t index;
	size_t count = 0;

	json_array_foreach(findings->list, index, finding)
	{
		if (strcmp(text_of(finding, "object"), object) == 0 &&
		    strstr(text_of(finding, "sentence"), words))
			count++;
	}
	return count;
}

/* What came out of evidence may hold anything: a terminal gets no control character of it. */
static void print_words(const char *text, FILE *out)
{
	for (; *text; text++)
		putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

void findings_print_text(const struct findings *findings, const char *verb, FILE *out)
{
	const json_t *finding;
	size_t index;

	json_array_foreach(findings->list, index, finding)
	{
		fprintf(out, "%-9s  ", text_of(finding, "level"));
		print_words(text_of(finding, "object"), out);
		fputs(": ", out);
		print_words(text_of(finding, "sentence"), out);
		if (*text_of(finding, "do")) {
			fputs(". Do: ", out);
			print_words(text_of(finding, "do"), out);
		}
		fputc('\n', out);
	}
	fprintf(out, "%s: %zu checked, %zu findings: %s\n", verb, findings->checked,
		json_array_size(findings->list),
		findings->incomplete  ? "evidence incomplete"
		: findings->attention ? "attention"
				      : "in order");
}

void findings_print_json(const struct findings *findings, const char *verb, FILE *out)
{
	json_t *report = json_object();

	ASSERT(report);
	json_put_string(report, "verb", verb);
	json_put(report, "checked", json_integer((json_int_t)findings->checked));
	json_put(report, "status", json_integer(findings_status(findings)));
	json_put(report, "findings", json_incref(findings->list));
	json_dumpf(report, out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	fputc('\n', out);
	json_decref(report);
}
