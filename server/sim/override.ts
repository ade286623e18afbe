/**
 * An object with some of its members replaced: how faults are put in at a seam without a class of
 * their own.
 *
 * Every other member is read from the real object at each use, so getters stay live, and its
 * methods are bound to it, so private fields work. A member that is added to an interface later
 * passes through unchanged.
 */
export function override<T extends object>(real: T, changes: Partial<T>): T {
  return new Proxy(real, {
    get: (_real, name): unknown => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      const value: unknown = Reflect.get(real, name);
      return typeof value === 'function' ? value.bind(real) : value;
    },
  });
}
