#include "pull/credential_gate.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"

#define FIRST_USEC (5 * USEC_PER_SEC)
#define LAST_USEC  (600 * USEC_PER_SEC)

static const struct gate_version *find(const struct credential_gate *gate, const struct hash *id)
{
	for (size_t i = 0; i < GATE_VERSIONS; i++) {
		if (gate->versions[i].seen && memcmp(&gate->versions[i].id, id, sizeof(*id)) == 0)
			return &gate->versions[i];
	}
	return NULL;
}

/* Its place, or that of the one that was not seen for the longest time. */
static struct gate_version *note(struct credential_gate *gate, const struct hash *id)
{
	struct gate_version *place = &gate->versions[0];

	for (size_t i = 0; i < GATE_VERSIONS; i++) {
		struct gate_version *version = &gate->versions[i];

		if (version->seen && memcmp(&version->id, id, sizeof(*id)) == 0) {
			place = version;
			break;
		}
		if (version->seen < place->seen)
			place = version;
	}
	if (memcmp(&place->id, id, sizeof(*id)) != 0)
		*place = (struct gate_version){.id = *id};
	place->seen = ++gate->seen;
	return place;
}

static uint64_t pause_usec(const struct credential_gate *gate)
{
	uint64_t pause = FIRST_USEC;

	for (unsigned i = 1; i < gate->refused_count && pause < LAST_USEC; i++)
		pause *= 2;
	return MIN(pause, LAST_USEC);
}

bool credential_gate_allows(const struct credential_gate *gate, const struct hash *id, uint64_t now,
			    uint64_t retry_usec)
{
	const struct gate_version *version = find(gate, id);

	if (version && version->refused)
		return retry_usec > 0 && now >= version->refused_usec + retry_usec;
	if ((version && version->accepted) || gate->refused_count == 0)
		return true;
	return now >= gate->refused_usec + pause_usec(gate);
}

void credential_gate_accepted(struct credential_gate *gate, const struct hash *id)
{
	struct gate_version *version = note(gate, id);

	version->accepted = true;
	version->refused = false;
	gate->refused_count = 0;
}

void credential_gate_refused(struct credential_gate *gate, const struct hash *id, uint64_t now,
			     const char *sentence)
{
	struct gate_version *version = note(gate, id);

	/* It worked: so the account was changed, and what was wrong before may be right now. */
	if (version->accepted) {
		for (size_t i = 0; i < GATE_VERSIONS; i++)
			gate->versions[i].refused = false;
		gate->refused_count = 0;
	} else {
		gate->refused_count++;
		gate->refused_usec = now;
	}
	version->accepted = false;
	version->refused = true;
	version->refused_usec = now;
	snprintf(gate->sentence, sizeof(gate->sentence), "%.*s", GATE_SENTENCE_SIZE - 1, sentence);
}

void credential_gate_forgive(struct credential_gate *gate)
{
	for (size_t i = 0; i < GATE_VERSIONS; i++)
		gate->versions[i].refused = false;
	gate->refused_count = 0;
}
