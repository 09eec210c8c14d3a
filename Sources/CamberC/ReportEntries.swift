public import CCamber
import Glibc
import Health
import Runtime
import Tape

final class ReportHandle: Handled {
  let r: Report
  init(_ r: Report) { self.r = r }
}
final class EventsHandle: Handled {
  let e: Events
  init(_ e: Events) { self.e = e }
}
public typealias Texts = UnsafePointer<UnsafePointer<CChar>?>

func told(_ report: OpaquePointer?, _ body: (Report) throws(Failure) -> Void) -> camber_status {
  guard let h = reportHandle(report) else { return CAMBER_EHANDLE.raw }
  do { try body(h.r) } catch { return h.fail(error) }
  return 0
}
private func words(_ s: UnsafePointer<CChar>?, _ what: StaticString) throws(Failure) -> String {
  guard let s else { throw Failure(.invalid, "report: \(what) is NULL") }
  return String(cString: s)
}
private func texts(_ p: Texts?, _ n: Int, _ what: StaticString) throws(Failure) -> [String] {
  guard n >= 0, n <= 1 << 24 else { throw Failure(.invalid, "report: a count of \(UInt(bitPattern: n)) \(what)") }
  guard n > 0 else { return [] }
  guard let p else { throw Failure(.invalid, "report: the array of \(n) \(what) is NULL") }
  return (0 ..< n).map { p[$0].map { String(cString: $0) } ?? "" }
}
private func numbers(_ p: UnsafePointer<Double>?, _ n: Int, _ what: StaticString) throws(Failure) -> [Double] {
  guard n >= 0, n <= 1 << 27 else { throw Failure(.invalid, "report: a count of \(UInt(bitPattern: n)) \(what)") }
  guard n > 0 else { return [] }
  guard let p else { throw Failure(.invalid, "report: the array of \(n) \(what) is NULL") }
  return Array(UnsafeBufferPointer(start: p, count: n))
}
private func place<T>(_ p: UnsafePointer<T>?, _ n: Int, _ what: StaticString) throws(Failure) -> UnsafePointer<T>? {
  guard n >= 0, n <= 1 << 28, p != nil || n == 0 else { throw Failure(.invalid, "report: the array of \(UInt(bitPattern: n)) \(what) is NULL or too long") }
  return p
}

@_cdecl("camber_report_new") @implementation public func camber_report_new(_ title: UnsafePointer<CChar>!) -> OpaquePointer! {
  makeHandle(.report, ReportHandle(Report(title.map { String(cString: $0) } ?? "Report")))
}
@_cdecl("camber_report_free") @implementation public func camber_report_free(_ report: OpaquePointer!) { freeHandle(.report, report) }
@_cdecl("camber_report_message") @implementation public func camber_report_message(_ report: OpaquePointer!) -> UnsafePointer<CChar>! {
  reportHandle(report)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_report_add_finding") @implementation public func camber_report_add_finding(
  _ report: OpaquePointer!, _ kind: UnsafePointer<CChar>!, _ severity: Int32, _ place: UnsafePointer<CChar>!, _ evidence: UnsafePointer<CChar>!, _ action: UnsafePointer<CChar>!
) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard severity >= 1, severity <= 3 else { throw Failure(.invalid, "report: severity \(severity); 1, 2 and 3 are taken") }
    r.add(Report.Notice(kind: try words(kind, "the finding's kind"), severity: Int(severity), place: place.map { String(cString: $0) } ?? "", evidence: try words(evidence, "the evidence"), advice: action.map { String(cString: $0) } ?? ""))
  }
}
@_cdecl("camber_report_add_section") @implementation public func camber_report_add_section(_ report: OpaquePointer!, _ title: UnsafePointer<CChar>!, _ note: UnsafePointer<CChar>!) -> camber_status {
  told(report) { (r) throws(Failure) in r.section(try words(title, "the section's title"), note.map { String(cString: $0) } ?? "") }
}
@_cdecl("camber_report_add_text") @implementation public func camber_report_add_text(_ report: OpaquePointer!, _ text: UnsafePointer<CChar>!) -> camber_status {
  told(report) { (r) throws(Failure) in r.text(try words(text, "the text")) }
}
@_cdecl("camber_report_add_table") @implementation public func camber_report_add_table(
  _ report: OpaquePointer!, _ caption: UnsafePointer<CChar>!, _ headings: Texts!, _ columns: Int, _ names: Texts!, _ rows: Int, _ values: UnsafePointer<Double>!
) -> camber_status {
  told(report) { (r) throws(Failure) in try addTable(r, caption, headings, columns, names, rows, values) }
}
@inline(never) private func addTable(_ r: Report, _ caption: UnsafePointer<CChar>?, _ headings: Texts?, _ columns: Int, _ names: Texts?, _ rows: Int, _ values: UnsafePointer<Double>?) throws(Failure) {
  guard columns >= 0, columns <= 4096, rows >= 0, rows <= 1 << 22 else { throw Failure(.invalid, "report: a table of \(UInt(bitPattern: rows)) x \(UInt(bitPattern: columns))") }
  let head = try texts(headings, columns + (names == nil ? 0 : 1), "headings"), v = try numbers(values, rows * columns, "values"), own = names == nil ? [] : try texts(names, rows, "names")
  var all: [[Report.Cell]] = []
  for i in 0 ..< rows {
    var row: [Report.Cell] = own.isEmpty ? [] : [.text(own[i])]
    for k in 0 ..< columns { row.append(.number(v[i * columns + k])) }
    all.append(row)
  }
  r.table(caption.map { String(cString: $0) } ?? "", head, all)
}
@_cdecl("camber_report_add_series") @implementation public func camber_report_add_series(
  _ report: OpaquePointer!, _ chart: UnsafePointer<CChar>!, _ name: UnsafePointer<CChar>!, _ count: Int, _ x: UnsafePointer<Double>!, _ y: UnsafePointer<Double>!, _ low: UnsafePointer<Double>!, _ high: UnsafePointer<Double>!
) -> camber_status {
  told(report) { (r) throws(Failure) in try addSeries(r, try words(chart, "the chart's title"), name, count, x, y, low, high) }
}
@inline(never) private func addSeries(_ r: Report, _ chart: String, _ name: UnsafePointer<CChar>?, _ count: Int, _ x: UnsafePointer<Double>?, _ y: UnsafePointer<Double>?, _ low: UnsafePointer<Double>?,
                                      _ high: UnsafePointer<Double>?) throws(Failure) {
  let y = try numbers(y, count, "values"), x = x == nil ? y.indices.map { Double($0) } : try numbers(x, count, "places")
  let l = low == nil || high == nil ? [] : try numbers(low, count, "lower ends"), h = l.isEmpty ? [] : try numbers(high, count, "upper ends")
  let s = Report.Series(name.map { String(cString: $0) } ?? "", x, y, low: l, high: h)
  r.with(chart: chart) { $0.series.append(s) }
}
@_cdecl("camber_report_set_axes") @implementation public func camber_report_set_axes(
  _ report: OpaquePointer!, _ chart: UnsafePointer<CChar>!, _ x: UnsafePointer<CChar>!, _ y: UnsafePointer<CChar>!, _ log_x: Int32, _ log_y: Int32, _ kind: Int32
) -> camber_status {
  told(report) { (r) throws(Failure) in try setAxes(r, try words(chart, "the chart's title"), x, y, log_x, log_y, kind) }
}
@inline(never) private func setAxes(_ r: Report, _ chart: String, _ x: UnsafePointer<CChar>?, _ y: UnsafePointer<CChar>?, _ logX: Int32, _ logY: Int32, _ kind: Int32) throws(Failure) {
  guard let k = Report.Kind(rawValue: kind), k != .rows else { throw Failure(.invalid, "report: a chart of kind \(kind); 0 lines, 1 dots, 2 histogram") }
  r.with(chart: chart) { c in
    (c.kind, c.x, c.y) = (k, x.map { String(cString: $0) } ?? "", y.map { String(cString: $0) } ?? "")
    (c.logX, c.logY) = (logX != 0, logY != 0)
  }
}
@_cdecl("camber_report_add_bars") @implementation public func camber_report_add_bars(
  _ report: OpaquePointer!, _ chart: UnsafePointer<CChar>!, _ series: UnsafePointer<CChar>!, _ count: Int, _ names: Texts!, _ values: UnsafePointer<Double>!
) -> camber_status {
  told(report) { (r) throws(Failure) in
    addBars(r, try words(chart, "the chart's title"), series.map { String(cString: $0) } ?? "", try texts(names, count, "names"), try numbers(values, count, "values"))
  }
}
@inline(never) private func addBars(_ r: Report, _ chart: String, _ series: String, _ names: [String], _ values: [Double]) {
  r.with(chart: chart) { c in
    c.kind = .rows
    if names.count > c.names.count { c.names = names }
    c.series.append(Report.Series(series, [], values))
  }
}
@_cdecl("camber_report_add_histogram") @implementation public func camber_report_add_histogram(_ report: OpaquePointer!, _ title: UnsafePointer<CChar>!, _ count: Int, _ values: UnsafePointer<Double>!) -> camber_status {
  told(report) { (r) throws(Failure) in r.histogram(try words(title, "the title"), UnsafeBufferPointer(start: try place(values, count, "values"), count: count)) }
}
@_cdecl("camber_report_add_graph") @implementation public func camber_report_add_graph(
  _ report: OpaquePointer!, _ title: UnsafePointer<CChar>!, _ node_count: Int, _ labels: Texts!, _ details: Texts!, _ edge_count: Int, _ edges: UnsafePointer<Int64>!, _ origin: Int64
) -> camber_status {
  told(report) { (r) throws(Failure) in try addGraph(r, try words(title, "the title"), node_count, labels, details, edge_count, edges, origin) }
}
@inline(never) private func addGraph(_ r: Report, _ title: String, _ n: Int, _ labels: Texts?, _ details: Texts?, _ m: Int, _ edges: UnsafePointer<Int64>?, _ origin: Int64) throws(Failure) {
  guard n > 0, n <= 200, m >= 0, m <= 10_000 else { throw Failure(.invalid, "report: a graph of \(UInt(bitPattern: n)) nodes and \(UInt(bitPattern: m)) edges; 1 to 200 and at most 10000 are taken") }
  let l = try texts(labels, n, "labels"), d = details == nil ? l.map { _ in "" } : try texts(details, n, "details"), p = try place(edges, m, "edges")
  var list: [(from: Int, to: Int)] = []
  for k in 0 ..< m {
    guard let p, p[2 * k] >= 0, p[2 * k] < n, p[2 * k + 1] >= 0, p[2 * k + 1] < n else { throw Failure(.invalid, "report: edge \(k) of a graph of \(n) nodes leads outside it") }
    list.append((Int(p[2 * k]), Int(p[2 * k + 1])))
  }
  r.graph(title, l, d, list, origin: origin >= 0 && origin < n ? Int(origin) : -1)
}
@_cdecl("camber_report_add_pattern") @implementation public func camber_report_add_pattern(
  _ report: OpaquePointer!, _ title: UnsafePointer<CChar>!, _ rows: Int64, _ columns: Int64, _ count: Int, _ row_of: UnsafePointer<Int64>!, _ column_of: UnsafePointer<Int64>!
) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard rows >= 0, columns >= 0, rows < 1 << 40, columns < 1 << 40 else { throw Failure(.invalid, "report: a pattern of \(rows) x \(columns)") }
    let i = try place(row_of, count, "rows"), j = try place(column_of, count, "columns"), none = UnsafePointer<Int64>(bitPattern: 8)
    if let a = i ?? none, let b = j ?? none, let f = r.spy(try words(title, "the title"), Int(rows), Int(columns), a, b, count) { throw f }
  }
}
@_cdecl("camber_report_compare") @implementation public func camber_report_compare(
  _ report: OpaquePointer!, _ other: OpaquePointer!, _ mine: UnsafePointer<CChar>!, _ theirs: UnsafePointer<CChar>!
) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let o = reportHandle(other) else { throw Failure(.handle, "report: the other report is NULL, freed or none") }
    r.compare(o.r, try words(mine, "a name"), try words(theirs, "a name"))
  }
}

private func rendered(_ r: Report, _ format: String) throws(Failure) -> String {
  switch format {
  case "text": return r.plain()
  case "json": return r.json()
  case "html": return r.page()
  default: throw Failure(.invalid, "report: no format \"\(format)\"; there are text, json, html")
  }
}
@_cdecl("camber_report_render") @implementation public func camber_report_render(_ report: OpaquePointer!, _ format: UnsafePointer<CChar>!) -> UnsafePointer<CChar>! {
  guard let h = reportHandle(report) else { return nil }
  do {
    h.say(try rendered(h.r, try words(format, "the format")))
    return h.text
  } catch {
    h.say(error.message)
    return nil
  }
}
@_cdecl("camber_report_save") @implementation public func camber_report_save(_ report: OpaquePointer!, _ format: UnsafePointer<CChar>!, _ path: UnsafePointer<CChar>!) -> camber_status {
  told(report) { (r) throws(Failure) in try saved(r, try words(format, "the format"), path) }
}
@inline(never) private func saved(_ r: Report, _ format: String, _ path: UnsafePointer<CChar>?) throws(Failure) {
  guard let path else { throw Failure(.invalid, "report: the path is NULL") }
  if format == "tensorboard" { return try r.events(time: 0).save(path) }
  guard ["text", "json", "html"].contains(format) else { throw Failure(.invalid, "report: no format \"\(format)\"; there are text, json, html, tensorboard") }
  try saveBytes(path, Array(try rendered(r, format).utf8), "report")
}

// MARK: what Camber's own observers give

@_cdecl("camber_report_add_curvature") @implementation public func camber_report_add_curvature(_ report: OpaquePointer!, _ curvature: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = curvatureHandle(curvature) else { throw Failure(.handle, "report: the curvature is NULL, freed or none") }
    try h.c.describe(r)
  }
}
@_cdecl("camber_report_add_solver") @implementation public func camber_report_add_solver(_ report: OpaquePointer!, _ solver: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = solverHandle(solver) else { throw Failure(.handle, "report: the solver is NULL, freed or none") }
    h.solver.describe(r)
  }
}
@_cdecl("camber_report_add_program") @implementation public func camber_report_add_program(_ report: OpaquePointer!, _ program: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = programHandle(program) else { throw Failure(.handle, "report: the program is NULL, freed or none") }
    r.program(h.program)
  }
}

// MARK: events

@_cdecl("camber_events_new") @implementation public func camber_events_new(_ time: Double) -> OpaquePointer! { makeHandle(.events, EventsHandle(Events(time: time))) }
@_cdecl("camber_events_free") @implementation public func camber_events_free(_ events: OpaquePointer!) { freeHandle(.events, events) }
@_cdecl("camber_events_message") @implementation public func camber_events_message(_ events: OpaquePointer!) -> UnsafePointer<CChar>! {
  eventsHandle(events)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
private func logged(_ events: OpaquePointer?, _ body: (Events) throws(Failure) -> Void) -> camber_status {
  guard let h = eventsHandle(events) else { return CAMBER_EHANDLE.raw }
  do { try body(h.e) } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_events_scalar") @implementation public func camber_events_scalar(_ events: OpaquePointer!, _ tag: UnsafePointer<CChar>!, _ step: Int64, _ value: Double, _ time: Double) -> camber_status {
  logged(events) { (e) throws(Failure) in e.scalar(try words(tag, "the tag"), step: step, value, time: time) }
}
@_cdecl("camber_events_histogram") @implementation public func camber_events_histogram(
  _ events: OpaquePointer!, _ tag: UnsafePointer<CChar>!, _ step: Int64, _ count: Int, _ values: UnsafePointer<Double>!, _ time: Double
) -> camber_status {
  logged(events) { (e) throws(Failure) in e.histogram(try words(tag, "the tag"), step: step, UnsafeBufferPointer(start: try place(values, count, "values"), count: count), time: time) }
}
@_cdecl("camber_events_save") @implementation public func camber_events_save(_ events: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> camber_status {
  logged(events) { (e) throws(Failure) in
    guard let path else { throw Failure(.invalid, "events: the path is NULL") }
    try e.save(path)
  }
}
