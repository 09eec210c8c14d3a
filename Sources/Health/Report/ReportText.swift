import Glibc
import Tape

extension Report {
  /// For a terminal: findings first, then tables and a line of blocks a series.
  package func plain() -> String {
    let width = 100
    var s = printable(title) + "\n" + String(repeating: "=", count: min(max(title.count, 8), width)) + "\n\n"
    if notices.isEmpty { s += "No findings.\n" }
    for n in notices {
      s += "[" + Report.severityName(n.severity) + "] " + printable(n.kind) + (n.place.isEmpty ? "" : " in " + printable(n.place)) + "\n"
      s += "    " + printable(n.evidence) + "\n"
      if !n.advice.isEmpty { s += "    -> " + printable(n.advice) + "\n" }
    }
    for part in sections {
      s += "\n" + printable(part.title) + "\n" + String(repeating: "-", count: min(max(part.title.count, 4), width)) + "\n"
      if !part.note.isEmpty { s += printable(part.note) + "\n" }
      for item in part.items {
        switch item {
        case .text(let t): s += printable(t) + "\n"
        case .table(let t):
          if !t.caption.isEmpty { s += printable(t.caption) + "\n" }
          s += aligned([t.columns] + t.rows.prefix(60).map { $0.map(text) })
          if t.rows.count > 60 { s += "  ... \(t.rows.count - 60) more rows\n" }
        case .chart(let c): s += drawn(c)
        case .graph(let g):
          s += printable(g.title) + "\n"
          for (i, l) in g.labels.enumerated() {
            let from = g.edges.filter { $0.to == i }.map { printable(g.labels[$0.from]) }.joined(separator: ", ")
            s += "  " + (i == g.origin ? "* " : "  ") + printable(l) + (from.isEmpty ? "" : "  <-  " + from) + (g.details[i].isEmpty ? "" : "   (" + printable(g.details[i]) + ")") + "\n"
          }
        case .spy(let p): s += printable(p.title) + ": \(p.rows) x \(p.columns), \(p.total) entries\n"
        }
      }
    }
    return s
  }
  static func severityName(_ s: Int) -> String { s >= 3 ? "error" : s == 2 ? "warning" : "note" }

  func text(_ c: Cell) -> String {
    switch c {
    case .text(let t): printable(t)
    case .number(let x): digits6(x)
    case .none: ""
    }
  }
  private func aligned(_ rows: [[String]]) -> String {
    var widths: [Int] = [], s = ""
    for r in rows { for (i, t) in r.enumerated() { if i < widths.count { widths[i] = max(widths[i], t.count) } else { widths.append(t.count) } } }
    for r in rows {
      s += "  "
      for (i, t) in r.enumerated() { s += t + (i + 1 < r.count ? String(repeating: " ", count: max(widths[i] - t.count, 0) + 2) : "") }
      s += "\n"
    }
    return s
  }
  private func drawn(_ c: Chart) -> String {
    var s = printable(c.title) + (c.y.isEmpty ? "" : " [" + printable(c.y) + "]") + "\n"
    if c.kind == .rows {
      s += aligned([[""] + c.series.map(\.name)] + c.names.prefix(60).enumerated().map { i, n in [printable(n)] + c.series.map { i < $0.y.count ? digits6($0.y[i]) : "" } })
      return s
    }
    for one in c.series {
      let y = one.y.map { c.logY && $0 > 0 ? log10($0) : c.logY ? .nan : $0 }, finite = y.filter(\.isFinite)
      guard let low = finite.min(), let high = finite.max() else {
        s += "  " + printable(one.name) + ": nothing finite\n"
        continue
      }
      let blocks = Array("▁▂▃▄▅▆▇█"), columns = min(y.count, 60)
      var line = ""
      for k in 0 ..< columns {
        let part = y[(k * y.count / columns) ..< max((k + 1) * y.count / columns, k * y.count / columns + 1)].filter(\.isFinite)
        guard let top = part.max() else {
          line += " "
          continue
        }
        let share = top / 2 - low / 2, whole = high / 2 - low / 2
          line.append(blocks[whole > 0 ? min(max(Int(share / whole * 8), 0), 7) : 3])
      }
      s += "  " + line + "  " + printable(one.name) + ": " + digits6(c.logY ? pow(10, low) : low) + " ... " + digits6(c.logY ? pow(10, high) : high)
      if let a = one.x.first, let b = one.x.last { s += ", " + (c.x.isEmpty ? "x" : printable(c.x)) + " " + digits6(a) + " ... " + digits6(b) }
      s += "\n"
    }
    return s
  }

  // MARK: JSON

  package func json() -> String {
    var s = "{\"title\":" + quoted(title) + ",\"findings\":["
    for (i, n) in notices.enumerated() {
      s += (i > 0 ? "," : "") + "{\"kind\":" + quoted(n.kind) + ",\"severity\":\(n.severity),\"place\":" + quoted(n.place) + ",\"evidence\":" + quoted(n.evidence) + ",\"advice\":" + quoted(n.advice) + "}"
    }
    s += "],\"sections\":["
    for (k, part) in sections.enumerated() {
      s += (k > 0 ? "," : "") + "{\"title\":" + quoted(part.title) + ",\"note\":" + quoted(part.note) + ",\"items\":["
      for (i, item) in part.items.enumerated() {
        if i > 0 { s += "," }
        switch item {
        case .text(let t): s += "{\"type\":\"text\",\"text\":" + quoted(t) + "}"
        case .table(let t):
          s += "{\"type\":\"table\",\"caption\":" + quoted(t.caption) + ",\"columns\":" + list(t.columns) + ",\"rows\":["
          for (r, row) in t.rows.enumerated() { s += (r > 0 ? "," : "") + "[" + row.map(value).joined(separator: ",") + "]" }
          s += "]}"
        case .chart(let c):
          let kind = c.kind == .line ? "line" : c.kind == .dots ? "dots" : c.kind == .steps ? "steps" : "rows"
          s += "{\"type\":\"chart\",\"title\":" + quoted(c.title) + ",\"kind\":\"" + kind + "\",\"x\":" + quoted(c.x) + ",\"y\":" + quoted(c.y) + ",\"log_x\":\(c.logX),\"log_y\":\(c.logY),\"names\":" + list(c.names) + ",\"series\":["
          for (r, one) in c.series.enumerated() {
            s += (r > 0 ? "," : "") + "{\"name\":" + quoted(one.name) + ",\"x\":" + numbers(one.x) + ",\"y\":" + numbers(one.y) + (one.low.isEmpty ? "" : ",\"low\":" + numbers(one.low) + ",\"high\":" + numbers(one.high)) + "}"
          }
          s += "]}"
        case .graph(let g):
          s += "{\"type\":\"graph\",\"title\":" + quoted(g.title) + ",\"nodes\":" + list(g.labels) + ",\"details\":" + list(g.details) + ",\"origin\":\(g.origin),\"edges\":["
          s += g.edges.map { "[\($0.from),\($0.to)]" }.joined(separator: ",") + "]}"
        case .spy(let p):
          s += "{\"type\":\"spy\",\"title\":" + quoted(p.title) + ",\"rows\":\(p.rows),\"columns\":\(p.columns),\"entries\":\(p.total),\"cell\":\(p.grid),\"across\":\(p.across),\"counts\":["
          s += p.counts.map { String($0) }.joined(separator: ",") + "]}"
        }
      }
      s += "]}"
    }
    return s + "]}\n"
  }
  private func list(_ s: [String]) -> String { "[" + s.map(quoted).joined(separator: ",") + "]" }
  private func numbers(_ x: [Double]) -> String { "[" + x.map(number).joined(separator: ",") + "]" }
  private func value(_ c: Cell) -> String {
    switch c {
    case .text(let t): quoted(t)
    case .number(let x): number(x)
    case .none: "null"
    }
  }
  /// All digits; what JSON has no number for is a string.
  private func number(_ x: Double) -> String { x.isNaN ? "\"NaN\"" : x.isInfinite ? (x < 0 ? "\"-Infinity\"" : "\"Infinity\"") : "\(x)" }
  private func quoted(_ s: String) -> String {
    var out = "\""
    for u in s.unicodeScalars {
      switch u {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      default:
        if u.value < 32 || u.value == 127 || u.value == 0x2028 || u.value == 0x2029 {
          let hex = String(u.value, radix: 16)
          out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else { out.unicodeScalars.append(u) }
      }
    }
    return out + "\""
  }
}
