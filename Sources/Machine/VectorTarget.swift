/// Memory by a general register of the target: base + displacement, and with scale >= 0 (log2 of an element's bytes) the loop's
/// index times that.
struct VectorAddress: BitwiseCopyable {
  var base: UInt8
  var scale: Int8 = -1
  /// One number for all lanes.
  var spread = false
  var displacement = 0
}
enum VectorOperand { case register(Int), memory(VectorAddress) }

/// An instruction set with vectors: it writes code for registers and places that `VectorTranslator` has chosen. Registers count from
/// 0; masks in registers of their own from 0 too.
protocol VectorTarget {
  /// No operation writes more bytes, spills not counted, and no load or store.
  static var longest: Int { get }
  var buffer: CodeBuffer { get set }
  /// Bytes of a vector.
  var width: Int { get }
  var registers: Int { get }
  /// Registers for masks with this many copies; 0 where masks are vectors.
  func masks(_ copies: Int) -> Int
  /// What is worked on at a time, and how many of these side by side.
  var lanes: Int { get set }
  var copies: Int { get set }
  /// The part computes with elements of 8 bytes.
  var long: Bool { get set }
  /// Loads and stores reach the lanes of the rest only.
  var partial: Bool { get set }
  /// The loop's end has a body of its own, whose lanes are masked; otherwise the range is a multiple of the lanes.
  var masksTheRest: Bool { get }

  /// Stores go past the caches; a fence ends that.
  var streaming: Bool { get set }
  mutating func fence()
  /// A jump where memory is not aligned to vectors, for `land`.
  mutating func unlessAligned(_ a: VectorAddress) -> Int
  mutating func land(_ jump: Int)

  func takes(_ o: Operation) -> Bool
  func demand(_ o: Operation) -> Demand
  /// Whether an operation reads such memory by itself: one number for all lanes, or as many as there are lanes.
  func folds(_ one: Bool) -> Bool
  /// Registers for pointers.
  var pointers: [UInt8] { get }
  /// For a pointer that has none, and for that of the spills.
  static var scratch: UInt8 { get }
  static var spills: UInt8 { get }
  mutating func align()
  /// `used`: of the registers for pointers.
  mutating func enter(_ used: Int)
  mutating func leave(_ used: Int)
  mutating func pointer(_ r: UInt8, _ index: Int32)
  /// As long as `count` elements are left: returns the place of the loop's exit, then `again` closes it.
  mutating func loop(_ count: Int) -> (top: Int, exit: Int)
  mutating func again(_ count: Int, _ l: (top: Int, exit: Int))
  /// The same for what is left, `lanes` at a time.
  mutating func loopRest() -> (top: Int, exit: Int)
  mutating func againRest(_ l: (top: Int, exit: Int))

  mutating func load(_ d: Int, _ kind: Kind, _ a: VectorAddress, _ t: Int)
  mutating func store(_ s: Int, _ kind: Kind, _ a: VectorAddress, _ t: Int)
  /// To and from the spills: all bits of a register.
  mutating func spill(_ s: Int, _ kind: Kind, _ a: VectorAddress)
  mutating func reload(_ d: Int, _ kind: Kind, _ a: VectorAddress)
  /// Whether a load or a store needs the temporary t.
  func borrows(_ kind: Kind, storing: Bool) -> Bool
  mutating func emit(_ o: Operation, _ d: Int, _ x: Int, _ y: VectorOperand, _ z: VectorOperand, _ t: Int, _ u: Int)
}

/// Where values of vector code are outside registers.
package struct VectorValue: BitwiseCopyable {
  /// The entry of the table that points to its elements; -1: it exists inside a part only.
  package var pointer: Int32
  /// One number for all elements.
  package var one: Bool
  /// Stored past the caches where it is aligned.
  package var streams: Bool
  /// Of one number: bytes from where the pointer shows, which many numbers share.
  package var displacement: Int32, near: Bool
  package init(pointer: Int32 = -1, one: Bool = false, streams: Bool = false, displacement: Int32 = 0, near: Bool = false) {
    self.displacement = displacement
    self.near = near
    self.pointer = pointer
    self.one = one
    self.streams = streams
  }
}
