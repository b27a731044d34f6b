#include "check/cmdline.h"

#include <string.h>

#include "check/evidence.h"

#define WORD_COUNT_MAX 64
#define ANY_VALUE      "=…"
#define ROOT_HASH      "roothash="
#define ROOT_DIGITS    64

struct command_line {
	char *words[WORD_COUNT_MAX];
	bool explained[WORD_COUNT_MAX];
	size_t count;
	struct findings *findings;
};

static int split(char *text, struct command_line *line, struct error *err)
{
	char *rest = text;

	for (char *word; (word = strsep(&rest, " \t\n"));) {
		if (!*word)
			continue;
		if (line->count == WORD_COUNT_MAX)
			return error_set(err, ERROR_DEFECT, "more than %d words", WORD_COUNT_MAX);
		line->words[line->count++] = word;
	}
	if (line->count == 0)
		return error_set(err, ERROR_DEFECT, "the command line is empty");
	return 0;
}

static bool stands_for(const char *pattern, const char *word)
{
	size_t length = strlen(pattern);

	if (length > strlen(ANY_VALUE) &&
	    strcmp(pattern + length - strlen(ANY_VALUE), ANY_VALUE) == 0) {
		length -= strlen(ANY_VALUE) - 1; /* up to the equals sign */
		return strncmp(word, pattern, length) == 0 && word[length];
	}
	return strcmp(pattern, word) == 0;
}

static int match_row(void *context, unsigned number, char *const fields[EVIDENCE_COLUMNS],
		     struct error *err)
{
	struct command_line *line = context;
	size_t found = 0;

	(void)number;
	if (strpbrk(fields[0], " \"'"))
		return error_set(err, ERROR_DEFECT, "'%.60s' is not one word", fields[0]);
	findings_count(line->findings);
	for (size_t i = 0; i < line->count; i++) {
		if (stands_for(fields[0], line->words[i])) {
			line->explained[i] = true;
			found++;
		}
	}
	if (found == 0)
		findings_add(line->findings, FINDING_ATTENTION, fields[0],
			     "put it back, or take its line out of the table and say why",
			     "is not on the command line, and so nothing stops this: %s",
			     fields[1]);
	if (found > 1)
		findings_add(line->findings, FINDING_ATTENTION, fields[0],
			     "remove all but one, the last wins", "stands there %zu times", found);
	return 0;
}

static void judge_root_hash(const char *word, struct findings *findings)
{
	const char *digits = word + strlen(ROOT_HASH);

	if (strspn(digits, "0123456789abcdef") != ROOT_DIGITS || digits[ROOT_DIGITS])
		findings_add(findings, FINDING_ATTENTION, "roothash=…", "build the image again",
			     "'%.80s' is not %d hexadecimal digits in lower case", digits,
			     ROOT_DIGITS);
}

int cmdline_check(const char *table_path, const char *line_path, struct findings *findings,
		  struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	struct command_line line = {.findings = findings};
	size_t length = 0;
	int r = evidence_read(line_path, &text, &length, err);

	if (r < 0)
		return r;
	if (strlen(text) != length)
		return error_set(err, ERROR_DEFECT, "'%s' holds a NUL byte", line_path);
	r = split(text, &line, err);
	if (r < 0)
		return error_prefix(err, "'%s'", line_path);
	r = evidence_read_table(table_path, 3, match_row, &line, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < line.count; i++) {
		if (!line.explained[i])
			findings_add(
				findings, FINDING_ATTENTION, line.words[i],
				"take it off the command line, or give its threat and reason in "
				"the table",
				"is on the command line and no reason is known for it");
		if (strncmp(line.words[i], ROOT_HASH, strlen(ROOT_HASH)) == 0)
			judge_root_hash(line.words[i], findings);
	}
	return 0;
}
