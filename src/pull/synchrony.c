#include "pull/synchrony.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* @sentence: why it is not on, "" if it is. */
static void enter(struct synchrony *synchrony, enum synchrony_phase phase, const char *sentence,
		  uint64_t since_usec)
{
	struct pull_semi_sync *state = &synchrony->state;
	bool on = phase == SYNCHRONY_ON;

	ASSERT(on == (sentence[0] == '\0'));
	/* Why it is off may change while it is; since when it is off does not. */
	if (on || state->on || state->since_usec == 0)
		state->since_usec = since_usec;
	synchrony->phase = phase;
	synchrony->has_been |= on;
	state->on = on;
	snprintf(state->sentence, sizeof(state->sentence), "%s", sentence);
}

void synchrony_begin(struct synchrony *synchrony, const struct synchrony_now *now)
{
	*synchrony = (struct synchrony){0};
	enter(synchrony, SYNCHRONY_AWAY, "not connected yet", now->realtime_usec);
}

void synchrony_connected(struct synchrony *synchrony, const char *absent,
			 const struct synchrony_now *now)
{
	char sentence[MESSAGE_SENTENCE_SIZE];

	synchrony->enabled = absent[0] == '\0';
	synchrony->has_been = false;
	if (synchrony->enabled) {
		enter(synchrony, SYNCHRONY_UNASKED,
		      "the server sends what it committed before, and waits for nobody",
		      now->realtime_usec);
		return;
	}
	snprintf(sentence, sizeof(sentence),
		 "semi-sync was asked for, the server does not do it: %s", absent);
	enter(synchrony, SYNCHRONY_ABSENT, sentence, now->realtime_usec);
}

void synchrony_denied(struct synchrony *synchrony, const struct synchrony_now *now)
{
	if (synchrony->phase == SYNCHRONY_UNASKED)
		enter(synchrony, SYNCHRONY_ABSENT,
		      "semi-sync was asked for, the server does not do it: its packets have no "
		      "room for it, though its settings say so. Do on the server: load the plugin "
		      "that they belong to",
		      now->realtime_usec);
}

/* What came and nobody asked about belongs to those that waited for nobody. */
static void give_up_unasked(struct synchrony *synchrony)
{
	synchrony->state.other_count += synchrony->unasked_count;
	synchrony->unasked_count = 0;
}

void synchrony_disconnected(struct synchrony *synchrony, const char *sentence,
			    const struct synchrony_now *now)
{
	if (synchrony->phase == SYNCHRONY_AWAY)
		return;
	give_up_unasked(synchrony);
	synchrony->owes = false;
	enter(synchrony, SYNCHRONY_AWAY, sentence, now->realtime_usec);
}

void synchrony_took(struct synchrony *synchrony, bool asked, const struct synchrony_now *now)
{
	struct pull_semi_sync *state = &synchrony->state;

	if (!asked) {
		if (synchrony->unasked_count++ == 0)
			synchrony->unasked = *now;
		if (!state->on)
			give_up_unasked(synchrony);
		return;
	}
	/* Those before it in its group waited as well. */
	state->acknowledged_count += synchrony->unasked_count + 1;
	synchrony->unasked_count = 0;
	if (!synchrony->owes)
		synchrony->owed = *now;
	synchrony->owes = true;
}

void synchrony_idle(struct synchrony *synchrony, const struct synchrony_now *now)
{
	if (synchrony->phase == SYNCHRONY_UNASKED && synchrony->enabled && !synchrony->has_been &&
	    !synchrony->owes)
		enter(synchrony, SYNCHRONY_ON, "", now->realtime_usec);
}

void synchrony_acknowledged(struct synchrony *synchrony, const struct acknowledgement *sent,
			    bool owes_more, const struct synchrony_now *now)
{
	struct pull_semi_sync *state = &synchrony->state;

	memcpy(state->file, sent->file, sizeof(state->file));
	state->position = sent->position;
	/* Of what was archived before, the server has not asked. */
	if (!synchrony->owes)
		return;
	synchrony->owes = owes_more;
	synchrony->owed = *now;
	if (synchrony->phase != SYNCHRONY_ON)
		enter(synchrony, SYNCHRONY_ON, "", now->realtime_usec);
}

void synchrony_step(struct synchrony *synchrony, const char *trouble,
		    const struct synchrony_now *now)
{
	char sentence[MESSAGE_SENTENCE_SIZE];

	if (synchrony->phase == SYNCHRONY_ON && synchrony->unasked_count > 0 &&
	    now->monotonic_usec >= synchrony->unasked.monotonic_usec + SYNCHRONY_GRACE_USEC) {
		give_up_unasked(synchrony);
		enter(synchrony, SYNCHRONY_UNASKED,
		      "the server asks for no acknowledgement any more: it has fallen back, or "
		      "semi-sync was switched off, or another replica is faster. Do on the server: "
		      "SHOW GLOBAL STATUS LIKE 'rpl_semi_sync%'",
		      synchrony->unasked.realtime_usec);
	}
	if ((synchrony->phase == SYNCHRONY_ON || synchrony->phase == SYNCHRONY_LATE) &&
	    synchrony->owes &&
	    now->monotonic_usec >= synchrony->owed.monotonic_usec + SYNCHRONY_GRACE_USEC) {
		snprintf(sentence, sizeof(sentence),
			 "the server waits for what is not durable yet: %.400s",
			 trouble ? trouble : "the disk has not answered");
		enter(synchrony, SYNCHRONY_LATE, sentence, synchrony->owed.realtime_usec);
	}
}

uint64_t synchrony_deadline(const struct synchrony *synchrony)
{
	uint64_t deadline = UINT64_MAX;

	if (synchrony->phase != SYNCHRONY_ON)
		return deadline;
	if (synchrony->unasked_count > 0)
		deadline = synchrony->unasked.monotonic_usec + SYNCHRONY_GRACE_USEC;
	if (synchrony->owes)
		deadline = MIN(deadline, synchrony->owed.monotonic_usec + SYNCHRONY_GRACE_USEC);
	return deadline;
}

bool synchrony_tell(struct synchrony *synchrony, const struct synchrony_now *now,
		    struct pull_semi_sync *ret_state)
{
	const struct pull_semi_sync *state = &synchrony->state, *told = &synchrony->told;

	if (synchrony->told_usec && state->on == told->on &&
	    state->since_usec == told->since_usec && strcmp(state->sentence, told->sentence) == 0 &&
	    (now->monotonic_usec < synchrony->told_usec + SYNCHRONY_TELL_USEC ||
	     (state->position == told->position && state->other_count == told->other_count &&
	      state->acknowledged_count == told->acknowledged_count)))
		return false;
	synchrony->told = *state;
	synchrony->told_usec = MAX(now->monotonic_usec, UINT64_C(1));
	*ret_state = *state;
	return true;
}
