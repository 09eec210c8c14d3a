import CKernels

/// Registers that an operation asks for beside its operands.
struct Demand: BitwiseCopyable {
  var temporaries: UInt8 = 0
  /// The number of the operand (1: y, 2: z) that may be read from its home; 0: none.
  var folds: UInt8 = 0
  /// The result is written before the last operand is read.
  var early = false
}

/// Where a kernel finds an operand.
enum Spot { case slot(Int32), outside(ck_transfer) }

/// An instruction set: it writes code for registers that `Translator` has chosen.
protocol Target {
  static var registers: Int { get }
  /// No operation writes more bytes, spills not counted, and no load or store.
  static var longest: Int { get }
  static func demand(_ o: Operation) -> Demand
  init(_ buffer: CodeBuffer)
  var buffer: CodeBuffer { get set }
  /// Whether a home lies within reach.
  static func reaches(_ slot: Int32) -> Bool
  /// Where a part begins, once aligned.
  mutating func align()
  /// `near`: the first of the slots that are used most.
  mutating func enter(calls: Bool, near: Int32)
  mutating func leave()
  /// Asks for the code that will stand about d bytes further, d a multiple of 4 below a MiB; beyond the end it asks for nothing.
  mutating func prefetch(_ d: Int32)
  mutating func load(_ r: Int, _ kind: Kind, _ slot: Int32)
  mutating func store(_ r: Int, _ kind: Kind, _ slot: Int32)
  mutating func load(_ r: Int, _ kind: Kind, from t: ck_transfer)
  mutating func store(_ r: Int, _ kind: Kind, to t: ck_transfer)
  /// `count` numbers from t on become what r holds; register `spread` holds it as often as it fits, since the function of that name.
  mutating func fill(_ r: Int, _ spread: Int, _ kind: Kind, _ t: ck_transfer, count: Int)
  /// r and s to t and the place behind it; `both` is a register for the two.
  mutating func store(_ r: Int, _ s: Int, _ both: Int, _ kind: Kind, to t: ck_transfer)
  /// The part that comes reads nothing of the floating-point environment but whether small numbers are kept, and leaves no trace in it. Where `takesSilence`, and
  /// for operations that do.
  var silent: Bool { get set }
  static var takesSilence: Bool { get }
  static func takesSilence(_ o: Op) -> Bool
  mutating func spread(_ r: Int, _ kind: Kind, into t: Int)
  /// Every vector register is lost. Operands beyond the arity are not looked at. `count` numbers lie side by side.
  mutating func call(_ kernel: UInt, arity: UInt8, _ x: Spot, _ y: Spot, _ z: Spot, _ out: Spot, count: UInt32)
  /// The operands' registers; -1 - slot for one that is read from its home. t, u: temporaries.
  mutating func emit(_ o: Operation, _ d: Int, _ x: Int, _ y: Int, _ z: Int, _ t: Int, _ u: Int)
}
