#include "check/pci.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check/evidence.h"

#define CLASS_DIGITS 4

static bool is_class(const char *text)
{
	return strlen(text) == CLASS_DIGITS && strspn(text, "0123456789abcdef") == CLASS_DIGITS;
}

static int take_class(void *context, unsigned line, char *const fields[EVIDENCE_COLUMNS],
		      struct error *err)
{
	(void)line;
	if (!is_class(fields[0]))
		return error_set(err, ERROR_DEFECT, "'%.20s' is no class of four digits",
				 fields[0]);
	json_put_string(context, fields[0], fields[1]);
	return 0;
}

/* "17:00.0 0200: 8086:159b (rev 02)", perhaps with a domain in front. */
static int judge_line(const char *line, const json_t *allowed, struct findings *findings,
		      struct error *err)
{
	char slot[16], class[8], device[12];

	if (sscanf(line, "%15s %7[0-9a-f]: %11[0-9a-f:]", slot, class, device) != 3 ||
	    !is_class(class))
		return error_set(err, ERROR_DEFECT, "'%.60s' is no line of `lspci -n`", line);
	findings_count(findings);
	if (!json_object_get(allowed, class))
		findings_add(findings, FINDING_ATTENTION, slot,
			     "find out who put it there; take it out, or list its class with a "
			     "reason",
			     "device %s is of class %s, which a vault has no use for", device,
			     class);
	return 0;
}

int pci_check(const char *allow_path, const char *lspci_path, struct findings *findings,
	      struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *allowed = json_object();
	CLEANUP(freep)
	char *text = NULL;
	char *rest;
	size_t length = 0, count = 0;
	int r = evidence_read_table(allow_path, 3, take_class, allowed, err);

	if (r == 0)
		r = evidence_read(lspci_path, &text, &length, err);
	rest = text;
	for (char *line; r == 0 && (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		count++;
		r = judge_line(line, allowed, findings, err);
		if (r < 0)
			error_prefix(err, "'%s' line %zu", lspci_path, count);
	}
	if (r == 0 && count == 0)
		r = error_set(err, ERROR_DEFECT, "'%s' lists no device", lspci_path);
	return r;
}
