/*
 * Events that the source itself has with a wrong CRC: each is a leaf, and the last of a source an
 * alarm for DAMAGE_ALARM_DAYS, also over a restart: nobody can mend them, somebody must know.
 *
 * Owns: nothing; the leaves are the state. Threads: the loop's.
 */
#pragma once

#include "keeper/source.h"
#include "protocol/damaged_message.h"

#define DAMAGE_ALARM_DAYS 7

/* Its puller tells of one, perhaps again. Without room for a leaf it is made up for at the seal. */
void damage_told(struct source *source, const struct damaged *damaged);

/* A segment is sealed: if it holds one, and its puller could not tell, it becomes known here. */
void damage_sealed(struct source *source, const struct segment_sealed_record *record);

/* Raise or end the alarm: at the start, and once in a while. */
void damage_check(struct source *source);
