#include "pull/divergence.h"

uint64_t divergence_found(struct divergence *divergence, bool file_is_gone, uint64_t now_usec)
{
	uint64_t before = divergence->found_usec;
	bool resolves = divergence->reason == GENERATION_DIVERGED;

	if (resolves)
		divergence->reason = GENERATION_RESET;
	else
		divergence->reason = file_is_gone ? GENERATION_PURGED : GENERATION_DIVERGED;
	divergence->found_usec = now_usec;
	if (before && !resolves && now_usec < before + DIVERGENCE_PAUSE_USEC)
		return before + DIVERGENCE_PAUSE_USEC;
	return now_usec;
}
