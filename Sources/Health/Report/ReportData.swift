package import Tape

/// A diagnosis as data: findings, and sections of sentences, tables, charts and graphs. Observers and hosts fill it; Text, JSON and Page write it. It knows none of the observers.
package final class Report {
  package struct Notice {
    package var kind = "", severity = 1, place = "", evidence = "", advice = ""
    package init(kind: String, severity: Int, place: String, evidence: String, advice: String) { (self.kind, self.severity, self.place, self.evidence, self.advice) = (kind, severity, place, evidence, advice) }
  }
  package enum Cell { case text(String), number(Double), none }
  package struct Table { var caption: String, columns: [String], rows: [[Cell]] }
  package struct Series {
    package var name: String, x: [Double], y: [Double], low: [Double], high: [Double]
    package init(_ name: String, _ x: [Double], _ y: [Double], low: [Double] = [], high: [Double] = []) { (self.name, self.x, self.y, self.low, self.high) = (name, x, y, low, high) }
  }
  /// line: y over x; dots: points; steps: a histogram, x the left ends of equal bins; rows: values by name, beneath each other.
  package enum Kind: Int32 { case line, dots, steps, rows }
  package struct Span { var name: String, low: Double, normal: Double, high: Double }
  package struct Chart {
    package var title: String, kind = Kind.line, x = "", y = "", logX = false, logY = false, names: [String] = [], series: [Series] = [], spans: [Span] = []
    package init(_ title: String) { self.title = title }
  }
  package struct Graph { var title: String, labels: [String], details: [String], edges: [(from: Int, to: Int)], origin: Int }
  package struct Spy { var title: String, rows: Int, columns: Int, grid: Int, across: Int, down: Int, counts: [Int32], total: Int }
  package enum Item { case text(String), table(Table), chart(Chart), graph(Graph), spy(Spy) }
  package struct Section { package var title: String, note: String, items: [Item] = [] }

  package var title: String
  package var notices: [Notice] = []
  package private(set) var sections: [Section] = []

  package init(_ title: String) { self.title = title }

  package func section(_ title: String, _ note: String = "") { sections.append(Section(title: title, note: note)) }
  private func add(_ item: Item) {
    if sections.isEmpty { section("Results") }
    sections[sections.count - 1].items.append(item)
  }
  package func add(_ n: Notice) {
    let at = notices.firstIndex { $0.severity < n.severity } ?? notices.count
    notices.insert(n, at: at)
  }
  package func text(_ s: String) { add(.text(s)) }
  package func table(_ caption: String, _ columns: [String], _ rows: [[Cell]]) { add(.table(Table(caption: caption, columns: columns, rows: rows))) }
  package func graph(_ title: String, _ labels: [String], _ details: [String], _ edges: [(from: Int, to: Int)], origin: Int) {
    add(.graph(Graph(title: title, labels: labels, details: details, edges: edges, origin: origin)))
  }
  package func chart(_ c: Chart) { add(.chart(c)) }

  /// The chart of that title in the last section, made where there is none.
  package func with(chart title: String, _ body: (inout Chart) -> Void) {
    if sections.isEmpty { section("Results") }
    let s = sections.count - 1
    for i in sections[s].items.indices {
      if case .chart(var c) = sections[s].items[i], c.title == title {
        body(&c)
        sections[s].items[i] = .chart(c)
        return
      }
    }
    var c = Chart(title)
    body(&c)
    sections[s].items.append(.chart(c))
  }

  /// Counts of log2 |v|, a bin an exponent, over the ranges of the formats: zeros and what is not finite are told beside it.
  package func histogram(_ title: String, _ values: UnsafeBufferPointer<Double>) {
    var zeros = 0, odd = 0, least = Int.max, most = Int.min
    for v in values {
      if v == 0 { zeros += 1 } else if !v.isFinite { odd += 1 } else { (least, most) = (min(least, v.exponent), max(most, v.exponent)) }
    }
    var x: [Double] = [], y: [Double] = []
    if least <= most {
      y = [Double](repeating: 0, count: most - least + 1)
      x = (least ... most).map { Double($0) }
      for v in values where v != 0 && v.isFinite { y[v.exponent - least] += 1 }
    }
    var c = Chart(title)
    (c.kind, c.x, c.y) = (.steps, "log2 |value|", "count")
    c.series = [Series("values", x, y)]
    c.spans = [Span(name: "f16", low: -24, normal: -14, high: 16), Span(name: "bf16", low: -133, normal: -126, high: 128), Span(name: "f32", low: -149, normal: -126, high: 128)]
    add(.chart(c))
    if zeros + odd > 0 { text("\(title): of \(values.count) values \(zeros) are zero and \(odd) are not finite.") }
  }

  /// The pattern of a matrix, as counts over at most 96 x 96 cells.
  package func spy(_ title: String, _ rows: Int, _ columns: Int, _ i: UnsafePointer<Int64>, _ j: UnsafePointer<Int64>, _ count: Int) -> Failure? {
    let most = 96, grid = max(1, (max(rows, columns) + most - 1) / most)
    let down = max(1, (rows + grid - 1) / grid), across = max(1, (columns + grid - 1) / grid)
    var counts = [Int32](repeating: 0, count: down * across)
    for k in 0 ..< count {
      guard i[k] >= 0, i[k] < rows, j[k] >= 0, j[k] < columns else { return Failure(.invalid, "report: entry \(k) (\(i[k]), \(j[k])) of a matrix of \(rows) x \(columns)") }
      counts[Int(i[k]) / grid * across + Int(j[k]) / grid] &+= 1
    }
    add(.spy(Spy(title: title, rows: rows, columns: columns, grid: grid, across: across, down: down, counts: counts, total: count)))
    return nil
  }

  /// Charts of one title in both, drawn together; findings of either; in a section of its own.
  package func compare(_ other: Report, _ mine: String, _ theirs: String) {
    var charts: [Chart] = []
    for s in sections {
      for case .chart(let c) in s.items {
        guard let o = other.chart(c.title), o.kind == c.kind, c.kind != .rows || o.names == c.names else { continue }
        var both = c
        both.series = c.series.map { Series(mine + (c.series.count > 1 ? ": " + $0.name : ""), $0.x, $0.y, low: $0.low, high: $0.high) }
        for s in o.series { both.series.append(Series(theirs + (o.series.count > 1 ? ": " + s.name : ""), s.x, s.y, low: s.low, high: s.high)) }
        charts.append(both)
      }
    }
    section("Comparison", "\(mine) beside \(theirs).")
    var rows: [[Cell]] = []
    for (list, rest, name) in [(notices, other.notices, mine), (other.notices, notices, theirs)] {
      for n in list {
        let shared = rest.contains { $0.kind == n.kind && $0.place == n.place }
        if shared && name == theirs { continue }
        rows.append([.text(n.kind), .text(n.place), .text(shared ? "both" : name), .text(n.evidence)])
      }
    }
    if !rows.isEmpty { table("Findings of both runs", ["finding", "place", "run", "evidence"], rows) }
    for c in charts { add(.chart(c)) }
    if charts.isEmpty && rows.isEmpty { text("The two have nothing in common that could be compared.") }
  }
  private func chart(_ title: String) -> Chart? {
    for s in sections { for case .chart(let c) in s.items where c.title == title { return c } }
    return nil
  }
}

/// Six significant digits, as people write them.
package func sixDigits(_ x: Double) -> String { digits6(x) }
func digits6(_ x: Double) -> String {
  if x.isNaN { return "NaN" }
  if x.isInfinite { return x < 0 ? "-inf" : "inf" }
  if x == 0 { return "0" }
  if x == x.rounded(), abs(x) < 1e7 { return String(Int(x)) }
  return rounded(x, 6)
}
/// `digits` significant digits, zeros at the end left off.
func rounded(_ x: Double, _ digits: Int) -> String {
  // Digits of the shortest form: exact, and rounded by hand.
  var text = Array("\(abs(x))".utf8), exponent = 0
  if let e = text.firstIndex(of: 101) {
    exponent = Int(String(decoding: text[(e + 1)...], as: UTF8.self)) ?? 0
    text = Array(text[..<e])
  }
  let point = text.firstIndex(of: 46) ?? text.count
  var d = (text[..<point] + text[min(point + 1, text.count)...]).map { Int($0) - 48 }
  exponent += point - 1
  while d.count > 1, d[0] == 0 {
    d.removeFirst()
    exponent -= 1
  }
  if d.count > digits {
    let up = d[digits] >= 5
    d = Array(d[..<digits])
    if up {
      var i = digits - 1
      while i >= 0 {
        d[i] += 1
        if d[i] < 10 { break }
        d[i] = 0
        i -= 1
      }
      if i < 0 {
        d = [1] + d.dropLast()
        exponent += 1
      }
    }
  }
  while d.count > 1, d[d.count - 1] == 0 { d.removeLast() }
  var s = x < 0 ? "-" : ""
  if exponent < -4 || exponent >= 7 {
    s += String(d[0])
    if d.count > 1 {
      s += "."
      for k in d[1...] { s += String(k) }
    }
    return s + "e" + String(exponent)
  }
  if exponent < 0 {
    s += "0." + String(repeating: "0", count: -exponent - 1)
    for k in d { s += String(k) }
    return s
  }
  for (i, k) in d.enumerated() {
    if i == exponent + 1 { s += "." }
    s += String(k)
  }
  if d.count <= exponent { s += String(repeating: "0", count: exponent + 1 - d.count) }
  return s
}
/// Letters of any bytes: control characters are shown, not sent.
func printable(_ s: String) -> String {
  var out = String.UnicodeScalarView()
  for u in s.unicodeScalars {
    if u.value < 32, u.value != 10 { out.append(UnicodeScalar(0x2400 + u.value) ?? " ") } else if u.value == 127 || (u.value >= 0x80 && u.value < 0xA0) || (u.value >= 0x200E && u.value <= 0x202E && u.value != 0x2013 && u.value != 0x2014 && (u.value < 0x2010 || u.value > 0x2027)) || (u.value & 0xFFFE) == 0xFFFE {
      out.append("\u{FFFD}")
    } else { out.append(u) }
  }
  return String(out)
}
