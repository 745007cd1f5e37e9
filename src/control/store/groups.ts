/** Members by group. Most scopes have one job and most accounts few zones, so a group of one costs no collection of its own. */
export class Groups<Id, Member extends { readonly id: Id }> {
  readonly #groups = new Map<string, Member | Map<Id, Member>>();

  of(group: string): readonly Member[] {
    const held = this.#groups.get(group);
    if (held === undefined) return [];
    return held instanceof Map ? [...held.values()] : [held];
  }

  /** Takes a member in, in the place of one of the same id. */
  put(group: string, member: Member): void {
    const held = this.#groups.get(group);
    if (held instanceof Map) held.set(member.id, member);
    else if (held === undefined || held.id === member.id) this.#groups.set(group, member);
    else this.#groups.set(group, new Map([held, member].map((each) => [each.id, each])));
  }

  remove(group: string, id: Id): void {
    const held = this.#groups.get(group);
    if (held instanceof Map) {
      held.delete(id);
      if (held.size === 0) this.#groups.delete(group);
    } else if (held?.id === id) this.#groups.delete(group);
  }
}
