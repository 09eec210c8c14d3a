import Health
import Runtime
import Tape

/// A diagnosis as data, written as text, JSON or one HTML file. Told in camber_health.h at camber_report_new.
public final class Report {
  public enum Severity: Int, Sendable { case note = 1, warning, error }
  public enum Format: String, Sendable { case text, json, html, tensorboard }
  public enum Kind: Int32, Sendable { case line, dots, histogram }
  let core: Health.Report
  public init(_ title: String = "Report") { core = Health.Report(title) }

  public func finding(_ kind: String, _ severity: Severity, place: String = "", evidence: String, action: String = "") {
    core.add(Health.Report.Notice(kind: kind, severity: severity.rawValue, place: place, evidence: evidence, advice: action))
  }
  public func section(_ title: String, _ note: String = "") { core.section(title, note) }
  public func text(_ s: String) { core.text(s) }
  public func table(_ caption: String, _ headings: [String], _ rows: [[Double]], names: [String]? = nil) throws {
    guard names == nil || names?.count == rows.count, rows.allSatisfy({ $0.count == headings.count - (names == nil ? 0 : 1) }) else { throw CamberError(Failure(.shape, "report: rows, names and headings of a table differ in length")) }
    core.table(caption, headings, rows.enumerated().map { i, r in (names.map { [.text($0[i])] } ?? []) + r.map { .number($0) } })
  }
  public func series(_ chart: String, _ y: [Double], x: [Double]? = nil, name: String = "", low: [Double] = [], high: [Double] = []) throws {
    guard x == nil || x?.count == y.count, low.count == high.count, low.isEmpty || low.count == y.count else { throw CamberError(Failure(.shape, "report: arrays of a series differ in length")) }
    core.with(chart: chart) { $0.series.append(Health.Report.Series(name, x ?? y.indices.map { Double($0) }, y, low: low, high: high)) }
  }
  public func axes(_ chart: String, x: String = "", y: String = "", logX: Bool = false, logY: Bool = false, kind: Kind = .line) {
    core.with(chart: chart) { c in
      (c.x, c.y, c.logX, c.logY) = (x, y, logX, logY)
      c.kind = Health.Report.Kind(rawValue: kind.rawValue) ?? .line
    }
  }
  public func bars(_ chart: String, _ values: [(name: String, value: Double)], name: String = "") {
    core.with(chart: chart) { c in
      c.kind = .rows
      c.names = values.map(\.name)
      c.series.append(Health.Report.Series(name, [], values.map(\.value)))
    }
  }
  public func histogram(_ title: String, _ values: [Double]) { values.withUnsafeBufferPointer { core.histogram(title, $0) } }
  public func graph(_ title: String, _ labels: [String], details: [String]? = nil, edges: [(from: Int, to: Int)], origin: Int = -1) throws {
    guard !labels.isEmpty, labels.count <= 200, details == nil || details?.count == labels.count, edges.allSatisfy({ labels.indices.contains($0.from) && labels.indices.contains($0.to) }) else {
      throw CamberError(Failure(.invalid, "report: a graph of \(labels.count) nodes (1 to 200), with as many details, and edges between them is wanted"))
    }
    core.graph(title, labels, details ?? labels.map { _ in "" }, edges, origin: labels.indices.contains(origin) ? origin : -1)
  }
  public func pattern(_ title: String, rows: Int, columns: Int, _ entries: [(row: Int, column: Int)]) throws {
    let i = entries.map { Int64($0.row) }, j = entries.map { Int64($0.column) }
    if rows < 0 || columns < 0 || rows >= 1 << 40 || columns >= 1 << 40 { throw CamberError(Failure(.invalid, "report: a pattern of \(rows) x \(columns)")) }
    if let f = core.spy(title, rows, columns, i, j, entries.count) { throw CamberError(f) }
  }
  public func add(_ c: Curvature) throws { try translated { try c.core.describe(core) } }
  /// The answer to the last question.
  public func add(_ r: Rounding) throws { try translated { try r.core.describe(core) } }
  public func add(_ c: DerivativeCheck) throws { try translated { try c.core.describe(core) } }
  public func add(_ n: Nonfinite) { n.trace.describe(core) }
  public func add(_ s: Stabilizer) { s.core.describe(core) }
  public func add(_ f: Flow) { f.core.describe(core) }
  public func add(_ s: Solver) { s.core.describe(core) }
  public func add(_ p: Program) { core.program(p.core) }
  public func add(_ f: Finding) { core.add(Health.Report.Notice(kind: f.kind, severity: f.severity.rawValue, place: f.place, evidence: f.evidence, advice: f.advice)) }
  public func compare(_ other: Report, _ mine: String = "this run", _ theirs: String = "the other") { core.compare(other.core, mine, theirs) }

  public func render(_ format: Format = .text) -> String { format == .json ? core.json() : format == .html ? core.page() : core.plain() }
  public func save(_ path: String, _ format: Format) throws {
    try translated {
      if format == .tensorboard { try core.events(time: 0).save(path) } else { try saveBytes(path, Array(render(format).utf8), "report") }
    }
  }
}

/// TensorBoard's event file; `time` in seconds since 1970.
public final class Events {
  private let core: Health.Events
  public init(time: Double) { core = Health.Events(time: time) }
  public func scalar(_ tag: String, step: Int64, _ value: Double, time: Double) { core.scalar(tag, step: step, value, time: time) }
  public func histogram(_ tag: String, step: Int64, _ values: [Double], time: Double) { values.withUnsafeBufferPointer { core.histogram(tag, step: step, $0, time: time) } }
  public func save(_ path: String) throws { try translated { try core.save(path) } }
}
