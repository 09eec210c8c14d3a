import CKernels

/// Work is shared between threads by cutting a step into pieces that do not depend on each other; which thread takes which piece
/// changes no bit.
enum Threads {
  static let most = 64
  /// Nanoseconds of work below which a step stays on one thread: sharing costs 2 to 4 microseconds.
  static let grain = 20_000.0

  /// The processors that this process may use.
  static var available: Int { min(Int(ck_processors()), most) }

  /// How many threads share `nanoseconds` of work in `pieces`, of which there are `threads`.
  static func lanes(_ nanoseconds: Double, pieces: Int, threads: Int) -> Int {
    if nanoseconds < grain || pieces < 2 || threads < 2 { return 1 }
    return max(min(threads, pieces, Int(min(nanoseconds, 1e15) / (grain / 2))), 1)
  }
}
