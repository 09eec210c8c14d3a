import CCamber
import CKernels
import Glibc
import Tape

/// What a handle points at: a kind word that every entry checks, then the object.
struct Header {
  var kind: UInt64
  /// In a freed header: the one freed after it.
  var object: UnsafeMutableRawPointer?
}

enum Kind: UInt64 {
  case tape = 0xCA3B_E700_0000_0001
  case program, workspace, linear, optimizer, schedule, scaler, tensors, archive, solver, call, sparse, sparseWorkspace, plan, findings, flow, nonfinite, stabilizer, rounding, check
  case curvature, report, events
}

/// Base of all objects behind handles: the sentence of the last failure, as C reads it.
class Handled {
  private var buffer: UnsafeMutablePointer<CChar>?
  private(set) var text: UnsafePointer<CChar> = empty
  /// Not told by the address of `text`: an empty literal may have several.
  var isSilent: Bool { buffer == nil }
  func say(_ s: String) {
    free(buffer)
    buffer = strdup(s)
    text = buffer.map { UnsafePointer($0) } ?? empty
  }
  func hush() {
    guard buffer != nil else { return }
    free(buffer)
    buffer = nil
    text = empty
  }
  /// A status whose sentence is kept.
  func fail(_ f: Failure) -> camber_status {
    say(f.message)
    return f.code.rawValue
  }
  deinit { free(buffer) }
}

/// C's copies of texts, until they are replaced.
final class HeldTexts {
  private var list: [UnsafeMutablePointer<CChar>] = []
  func keep(_ s: String) -> UnsafePointer<CChar> {
    guard let p = strdup(s) else { return empty }
    list.append(p)
    return UnsafePointer(p)
  }
  func clear() {
    for p in list { free(p) }
    list = []
  }
  deinit { for p in list { free(p) } }
}

nonisolated(unsafe) let empty = c("")

func c(_ s: StaticString) -> UnsafePointer<CChar> { UnsafeRawPointer(s.utf8Start).assumingMemoryBound(to: CChar.self) }

func makeHandle(_ kind: Kind, _ object: Handled) -> OpaquePointer? {
  guard let h = freed.withLock({ $0.take() }) else { return nil }
  h.initialize(to: Header(kind: kind.rawValue, object: Unmanaged.passRetained(object).toOpaque()))
  return OpaquePointer(h)
}

func freeHandle(_ kind: Kind, _ handle: OpaquePointer?) {
  guard let h = header(handle, kind) else { return }
  let object = h.pointee.object
  h.pointee = Header(kind: 0, object: nil)
  if let object { Unmanaged<Handled>.fromOpaque(object).release() }
  freed.withLock { $0.put(h) }
}

/// Headers of freed handles: their memory stays readable, so that a freed handle is told from a live one, and is not used again
/// before a thousand others were freed.
private struct Freed {
  private var oldest: UnsafeMutablePointer<Header>?, newest: UnsafeMutablePointer<Header>?
  private var count = 0

  mutating func put(_ h: UnsafeMutablePointer<Header>) {
    if let newest { newest.pointee.object = UnsafeMutableRawPointer(h) } else { oldest = h }
    newest = h
    count += 1
  }
  mutating func take() -> UnsafeMutablePointer<Header>? {
    guard count > 1024, let h = oldest else { return malloc(MemoryLayout<Header>.size)?.bindMemory(to: Header.self, capacity: 1) }
    oldest = h.pointee.object?.assumingMemoryBound(to: Header.self)
    count -= 1
    return h
  }
}
private let freed = Guarded(Freed())

@inline(__always) private func header(_ handle: OpaquePointer?, _ kind: Kind) -> UnsafeMutablePointer<Header>? {
  guard let handle, Int(bitPattern: handle) & 7 == 0 else { return nil }
  let h = UnsafeMutablePointer<Header>(handle)
  return h.pointee.kind == kind.rawValue ? h : nil
}

@inline(__always) private func object<T: Handled>(_ handle: OpaquePointer?, _ kind: Kind, as: T.Type) -> T? {
  guard let h = header(handle, kind), let o = h.pointee.object else { return nil }
  return Unmanaged<T>.fromOpaque(o).takeUnretainedValue()
}

/// The object behind a handle, lent to `body` without being counted: the handle keeps it alive. nil when it is none of that kind.
@inline(__always) func lend<T: Handled, R>(_ handle: OpaquePointer?, _ kind: Kind, as: T.Type, _ body: (T) -> R) -> R? {
  guard let h = header(handle, kind), let o = h.pointee.object else { return nil }
  return Unmanaged<T>.fromOpaque(o)._withUnsafeGuaranteedRef(body)
}

@inline(__always) func tapeHandle(_ h: OpaquePointer?) -> TapeHandle? { object(h, .tape, as: TapeHandle.self) }
@inline(__always) func programHandle(_ h: OpaquePointer?) -> ProgramHandle? { object(h, .program, as: ProgramHandle.self) }
@inline(__always) func workspaceHandle(_ h: OpaquePointer?) -> WorkspaceHandle? { object(h, .workspace, as: WorkspaceHandle.self) }
func linearHandle(_ h: OpaquePointer?) -> LinearHandle? { object(h, .linear, as: LinearHandle.self) }
func optimizerHandle(_ h: OpaquePointer?) -> OptimizerHandle? { object(h, .optimizer, as: OptimizerHandle.self) }
func scheduleHandle(_ h: OpaquePointer?) -> ScheduleHandle? { object(h, .schedule, as: ScheduleHandle.self) }
func scalerHandle(_ h: OpaquePointer?) -> ScalerHandle? { object(h, .scaler, as: ScalerHandle.self) }
func archiveHandle(_ h: OpaquePointer?) -> ArchiveHandle? { object(h, .archive, as: ArchiveHandle.self) }
func planHandle(_ h: OpaquePointer?) -> PlanHandle? { object(h, .plan, as: PlanHandle.self) }
func solverHandle(_ h: OpaquePointer?) -> SolverHandle? { object(h, .solver, as: SolverHandle.self) }
func sparseHandle(_ h: OpaquePointer?) -> SparseHandle? { object(h, .sparse, as: SparseHandle.self) }
func sparseWorkspaceHandle(_ h: OpaquePointer?) -> SparseWorkspaceHandle? { object(h, .sparseWorkspace, as: SparseWorkspaceHandle.self) }
func roundingHandle(_ h: OpaquePointer?) -> RoundingHandle? { object(h, .rounding, as: RoundingHandle.self) }
func checkHandle(_ h: OpaquePointer?) -> CheckHandle? { object(h, .check, as: CheckHandle.self) }
func curvatureHandle(_ h: OpaquePointer?) -> CurvatureHandle? { object(h, .curvature, as: CurvatureHandle.self) }
func reportHandle(_ h: OpaquePointer?) -> ReportHandle? { object(h, .report, as: ReportHandle.self) }
func eventsHandle(_ h: OpaquePointer?) -> EventsHandle? { object(h, .events, as: EventsHandle.self) }
func tensorsHandle(_ h: OpaquePointer?) -> TensorsHandle? { object(h, .tensors, as: TensorsHandle.self) }

final class TapeHandle: Handled {
  let tape: Tape
  init(_ tape: Tape) { self.tape = tape }

  @inline(__always) func node(_ n: camber_node) -> NodeID {
    n < 0 ? .none : tape.resolve(serial: Int32(truncatingIfNeeded: n >> 32), index: Int32(truncatingIfNeeded: n))
  }
  @inline(__always) func pack(_ n: NodeID) -> camber_node {
    if n.isNone {
      settle()
      return -1
    }
    return Int64(tape.serial) << 32 | Int64(n.index)
  }
  /// Texts that were given out live as long as the tape, each once.
  private var texts: [String: UnsafeMutablePointer<CChar>] = [:]
  func kept(_ s: String) -> UnsafePointer<CChar> {
    if let p = texts[s] { return UnsafePointer(p) }
    guard let p = strdup(s) else { return empty }
    texts[s] = p
    return UnsafePointer(p)
  }
  deinit { for p in texts.values { free(p) } }
  /// The tape's failure becomes a sentence for C.
  func settle() {
    if let f = tape.failure, isSilent { say(f.message) }
  }
  var status: camber_status {
    settle()
    return tape.failure?.code.rawValue ?? 0
  }
  /// The nodes of an array, on this tape or on a body; failures are this tape's.
  func nodes(_ p: UnsafePointer<camber_node>?, _ n: Int, _ name: StaticString, of body: TapeHandle? = nil) -> [NodeID]? {
    guard n >= 0, n <= 1 << 28 else { tape.fail(.invalid, "\(name): a count of \(UInt(bitPattern: n)) nodes"); return nil }
    guard n > 0 else { return [] }
    guard let p else { tape.fail(.invalid, "\(name): an array of \(n) nodes is NULL"); return nil }
    defer { body?.settle() }
    return (0 ..< n).map { (body ?? self).node(p[$0]) }
  }
  func shape(_ p: UnsafePointer<Int64>?, _ rank: Int, _ name: StaticString) -> [Int]? {
    guard rank >= 0, rank <= 32 else { tape.fail(.shape, "\(name): rank \(UInt(bitPattern: rank)); at most 32 is taken"); return nil }
    guard rank > 0 else { return [] }
    guard let p else { tape.fail(.invalid, "\(name): the array of \(rank) extents is NULL"); return nil }
    return (0 ..< rank).map { Int(p[$0]) }
  }
  /// Numbers that are no shape.
  func list(_ p: UnsafePointer<Int64>?, _ n: Int, _ name: StaticString) -> [Int]? {
    guard n >= 0, n <= 1 << 28 else { tape.fail(.invalid, "\(name): a count of \(UInt(bitPattern: n)) numbers"); return nil }
    guard n > 0 else { return [] }
    guard let p else { tape.fail(.invalid, "\(name): the array of \(n) numbers is NULL"); return nil }
    return (0 ..< n).map { Int(p[$0]) }
  }
  func type(_ d: camber_dtype, _ p: UnsafePointer<Int64>?, _ rank: Int, _ name: StaticString) -> TensorType? {
    guard let dtype = dtype(d, name), let s = shape(p, rank, name) else { return nil }
    guard let t = TensorType(dtype, checking: s) else {
      tape.fail(s.contains { $0 < 0 } ? .shape : .memory, "\(name): a value of shape \(shapeText(s)) cannot exist")
      return nil
    }
    return t
  }
  func dtype(_ d: camber_dtype, _ name: StaticString) -> DType? {
    guard let t = DType(rawValue: d) else { tape.fail(.dtype, "\(name): \(d) is no dtype"); return nil }
    return t
  }
  /// An axis of x from the end; nil with the failure set when there is none.
  func axis(_ a: Int64, rank: Int, _ name: StaticString) -> Int? {
    guard a >= -Int64(rank), a < Int64(rank) else { tape.fail(.shape, "\(name): axis \(a) of rank \(rank)"); return nil }
    return a < 0 ? Int(a) : Int(a) - rank
  }
}


/// A shape as sentences show it. (Tape's `text` is hidden by handles' member of that name.)
func shapeText(_ s: [Int]) -> String { text(s) }

/// Builds on a tape unless it has failed; the first failure sticks.
@inline(__always) func build(_ handle: OpaquePointer?, _ body: (TapeHandle, Tape) -> NodeID) -> camber_node {
  guard let h = tapeHandle(handle) else { return -1 }
  guard h.tape.failure == nil else { return h.pack(.none) }
  return h.pack(body(h, h.tape))
}

/// A transform: writes `count` nodes, CAMBER_NONE on failure.
func transform(_ handle: OpaquePointer?, _ out: UnsafeMutablePointer<camber_node>?, _ count: Int, _ name: StaticString, _ body: (TapeHandle, Tape) -> [NodeID]?) -> camber_status {
  guard let h = tapeHandle(handle) else { return CAMBER_EHANDLE.raw }
  guard count >= 0, count <= 1 << 28 else {
    h.tape.fail(.invalid, "\(name): a count of \(UInt(bitPattern: count)) results")
    return h.status
  }
  guard let out = out ?? (count == 0 ? UnsafeMutablePointer(bitPattern: 8) : nil) else {
    h.tape.fail(.invalid, "\(name): the array for \(count) results is NULL")
    return h.status
  }
  let r = h.tape.failure == nil ? body(h, h.tape) : nil
  for i in 0 ..< count { out[i] = h.tape.failure == nil && r != nil ? h.pack(r.unsafelyUnwrapped[i]) : -1 }
  return h.status
}

extension Int { var raw: camber_status { camber_status(truncatingIfNeeded: self) } }
extension Int32 { var raw: camber_status { self } }
