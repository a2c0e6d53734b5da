import { render } from 'preact';
import { App } from './app.tsx';
import { watchLeaving } from './state/leave-guard.ts';
import './styles/index.css';

const root = document.getElementById('app');
watchLeaving();
if (root !== null) render(<App />, root);
